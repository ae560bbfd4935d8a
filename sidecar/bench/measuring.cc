#include "bench/measuring.h"

#include <malloc.h>
#include <sys/resource.h>

#include <algorithm>
#include <cmath>
#include <fstream>
#include <iomanip>
#include <random>
#include <sstream>
#include <string_view>
#include <utility>

#include "assembly/assemble.h"

namespace outbox::bench {
namespace {

double seconds_of(const timeval& time) {
  return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_usec) / 1e6;
}

double cpu_seconds() {
  rusage usage{};
  ::getrusage(RUSAGE_SELF, &usage);
  return seconds_of(usage.ru_utime) + seconds_of(usage.ru_stime);
}

/// A line of /proc/self/status that is given in kB, as megabytes; 0 when it is not there.
double status_megabytes(std::string_view name) {
  std::ifstream file("/proc/self/status");
  for (std::string line; std::getline(file, line);)
    if (line.starts_with(name) && line.size() > name.size() && line[name.size()] == ':')
      return std::strtod(line.c_str() + name.size() + 1, nullptr) / 1024;
  return 0;
}

std::string new_route_name() {
  std::random_device random;
  std::string name = "bench-";
  for (int i = 0; i < 8; ++i) name += "0123456789abcdef"[random() & 15];
  return name;
}

std::vector<BrokerAdapter> wrapped(std::span<const BrokerAdapter> adapters, const Wrap& wrap) {
  std::vector<BrokerAdapter> result(adapters.begin(), adapters.end());
  for (BrokerAdapter& adapter : result)
    adapter.open = [open = adapter.open,
                    wrap](const BrokerTarget& target) -> Result<std::unique_ptr<Broker>> {
      auto broker = open(target);
      if (!broker) return broker.error();
      return wrap(std::move(*broker));
    };
  return result;
}

}  // namespace

NewRow sample_row(std::int64_t payload_bytes) {
  NewRow row;
  row.topic = "bench";
  row.type = "bench.happened";
  row.payload = "{\"text\":\"\"}";
  const auto size = static_cast<std::size_t>(payload_bytes);
  if (size < row.payload.size())
    row.payload = std::string(size, '1');
  else
    row.payload.insert(row.payload.size() - 2, size - row.payload.size(), 'x');
  return row;
}

Result<std::unique_ptr<Admin>> migrated(const Task& task) {
  const StoreAdapter& database = *adapter_for(task.adapters.stores, task.config.database_url);
  auto admin = database.open_admin({task.config.database_url, task.config.table});
  if (!admin) return admin;
  const auto applied = (*admin)->migrations();
  if (!applied) return applied.error();
  for (const Migration& migration : database.migrations) {
    if (std::ranges::find(*applied, migration.version, &AppliedMigration::version) != applied->end())
      continue;
    if (const auto done = (*admin)->apply(migration); !done) return done.error();
  }
  return admin;
}

Result<std::unique_ptr<RelayProcess>> assemble_wrapped(Task& task, const Wrap& wrap, bool once) {
  task.config.routes.front().name = new_route_name();
  return assemble(task.config, {wrapped(task.adapters.brokers, wrap), task.adapters.stores}, once);
}

std::string figures_text(const std::vector<Figure>& figures, bool json) {
  std::size_t width = 0;
  for (const Figure& figure : figures) width = std::max(width, figure.name.size());
  std::ostringstream text;
  text << std::fixed;
  const char* separator = "{";
  for (const Figure& figure : figures) {
    text << std::setprecision(figure.decimals);
    if (json) {
      text << std::exchange(separator, ", ") << '"' << figure.name << "\": " << figure.value;
      continue;
    }
    std::string name = figure.name;
    std::ranges::replace(name, '_', ' ');
    text << name << std::string(width - name.size() + 2, ' ') << figure.value << "\n";
  }
  if (json) text << "}\n";
  return text.str();
}

double percentile(const std::vector<double>& sorted, double share) {
  if (sorted.empty()) return 0;
  const auto rank = static_cast<std::size_t>(std::ceil(share * static_cast<double>(sorted.size())));
  return sorted[std::clamp<std::size_t>(rank, 1, sorted.size()) - 1];
}

UsageMeter::UsageMeter() {
  ::malloc_trim(0);
  // 5 resets the peak: https://man7.org/linux/man-pages/man5/proc_pid_clear_refs.5.html
  std::ofstream("/proc/self/clear_refs") << "5";
  cpu_seconds_before_ = cpu_seconds();
  begun_ = std::chrono::steady_clock::now();
}

UsageMeter::Usage UsageMeter::usage() const {
  Usage usage;
  usage.elapsed_seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - begun_).count();
  usage.cpu_seconds = cpu_seconds() - cpu_seconds_before_;
  usage.resident_megabytes = status_megabytes("VmRSS");
  usage.resident_peak_megabytes = status_megabytes("VmHWM");
  return usage;
}

std::string build_warning() {
  const std::string build = OUTBOX_BUILD;
  if (build == "Release") return {};
  return "this is a build of type " + (build.empty() ? "(none)" : build) +
         ", not Release: its figures say nothing about the program that is shipped";
}

}  // namespace outbox::bench
