#include "adapters/common/owner.h"

#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdint>
#include <fstream>
#include <iterator>
#include <optional>
#include <vector>

#include "base/text.h"

namespace outbox {
namespace {

std::optional<std::string> contents(const std::string& path) {
  std::ifstream file(path);
  if (!file) return std::nullopt;
  std::string text{std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
  if (file.bad()) return std::nullopt;
  return text;
}

std::string host_name() {
  std::array<char, 256> name{};
  return gethostname(name.data(), name.size() - 1) == 0 ? std::string(name.data()) : std::string();
}

std::string boot_id() {
  std::string id = contents("/proc/sys/kernel/random/boot_id").value_or("");
  while (!id.empty() && id.back() == '\n') id.pop_back();
  return id;
}

std::string pid_namespace() {
  struct stat found {};
  return stat("/proc/self/ns/pid", &found) == 0 ? std::to_string(found.st_ino) : std::string();
}

/// What /proc/<pid>/stat says: https://man7.org/linux/man-pages/man5/proc_pid_stat.5.html, fields 3, 20
/// and 22.
struct Process {
  char state = '?';
  std::string threads;
  std::string start_time;

  /// A leader that has exited while other threads of its process still run is a zombie as well.
  [[nodiscard]] bool has_exited() const {
    return (state == 'Z' || state == 'X') && (threads == "1" || threads == "0");
  }
};

std::optional<Process> process_from(const std::string& stat_line) {
  // the name (field 2) is in parentheses and may itself hold spaces and parentheses
  const auto name_end = stat_line.rfind(')');
  if (name_end == std::string::npos || name_end + 2 >= stat_line.size()) return std::nullopt;
  std::size_t at = name_end + 2;
  Process process{stat_line[at], {}, {}};
  for (int field = 3; field < 22; ++field) {
    at = stat_line.find(' ', at);
    if (at == std::string::npos) return std::nullopt;
    ++at;
    if (field + 1 == 20) process.threads = stat_line.substr(at, stat_line.find(' ', at) - at);
  }
  process.start_time = stat_line.substr(at, stat_line.find(' ', at) - at);
  return process;
}

std::vector<std::string_view> parts_of(std::string_view owner) {
  std::vector<std::string_view> parts;
  for (;;) {
    const auto slash = owner.find('/');
    parts.push_back(owner.substr(0, slash));
    if (slash == std::string_view::npos) return parts;
    owner.remove_prefix(slash + 1);
  }
}

bool sees_processes() {
  return access("/proc/self/stat", R_OK) == 0;
}

}  // namespace

std::string this_owner() {
  const std::string stat_line = contents("/proc/self/stat").value_or("");
  const std::string start_time = process_from(stat_line).value_or(Process{}).start_time;
  return host_name() + "/" + boot_id() + "/" + pid_namespace() + "/" + std::to_string(getpid()) + "/" +
         start_time;
}

bool provably_gone(std::string_view owner) {
  const auto parts = parts_of(owner);
  if (parts.size() != 5) return false;
  for (const auto part : parts)
    if (part.empty()) return false;
  // The boot id alone would do on bare metal; containers that share a kernel differ in the namespace, and a
  // namespace's number may be handed out again, which the host name makes harmless in practice.
  if (parts[0] != host_name() || parts[1] != boot_id() || parts[2] != pid_namespace()) return false;

  const auto pid = parse_number<std::int32_t>(parts[3]);
  if (!pid || *pid <= 0 || !sees_processes()) return false;

  const std::string directory = "/proc/" + std::to_string(*pid);
  // /proc may hide the processes of other users (hidepid, ProtectProc): only the kernel's word counts.
  if (kill(*pid, 0) != 0 && errno == ESRCH) return true;
  const auto line = contents(directory + "/stat");
  if (!line) return false;
  const auto process = process_from(*line);
  if (!process) return false;
  return process->start_time != parts[4] || process->has_exited();
}

}  // namespace outbox
