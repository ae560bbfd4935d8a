#include "http/process_usage.h"

#include <sys/resource.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <limits>
#include <sstream>
#include <string>
#include <system_error>

namespace outbox {
namespace {

double limit_of(decltype(RLIMIT_NOFILE) resource) {
  rlimit limit{};
  if (::getrlimit(resource, &limit) != 0) return 0;
  if (limit.rlim_cur == RLIM_INFINITY) return std::numeric_limits<double>::infinity();
  return static_cast<double>(limit.rlim_cur);
}

std::int64_t open_files() {
  std::error_code failed;
  std::int64_t count = 0;
  for (std::filesystem::directory_iterator entry("/proc/self/fd", failed), end; !failed && entry != end;
       entry.increment(failed))
    ++count;
  return count > 0 ? count - 1 : 0;  // the listing's own
}

double boot_time() {
  std::ifstream file("/proc/stat");
  for (std::string word; file >> word;) {
    double seconds = 0;
    if (word == "btime" && file >> seconds) return seconds;
  }
  return 0;
}

}  // namespace

ProcessUsage process_usage() {
  ProcessUsage usage;
  usage.open_fds = open_files();
  usage.max_fds = limit_of(RLIMIT_NOFILE);
  usage.virtual_memory_max_bytes = limit_of(RLIMIT_AS);

  std::ifstream file("/proc/self/stat");
  std::string line;
  std::getline(file, line);
  // The second field is the program's name, which may hold spaces and parentheses.
  // https://man7.org/linux/man-pages/man5/proc_pid_stat.5.html
  const auto name_end = line.rfind(')');
  if (name_end == std::string::npos) return usage;
  std::istringstream fields(line.substr(name_end + 1));
  std::string skipped;
  for (int field = 3; field < 14; ++field) fields >> skipped;
  double user = 0, system = 0, started = 0;
  fields >> user >> system;
  for (int field = 16; field < 20; ++field) fields >> skipped;
  fields >> usage.threads >> skipped >> started;
  std::int64_t pages = 0;
  fields >> usage.virtual_memory_bytes >> pages;
  const auto ticks = static_cast<double>(::sysconf(_SC_CLK_TCK));
  usage.cpu_seconds = (user + system) / ticks;
  // Neither can change, and /proc/stat is costly to make on a machine with many interrupts.
  static const double booted = boot_time();
  usage.start_time_seconds = booted + started / ticks;
  usage.resident_memory_bytes = pages * ::sysconf(_SC_PAGESIZE);
  return usage;
}

}  // namespace outbox
