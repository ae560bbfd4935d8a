#include "cli/bench/figures.h"

#include <malloc.h>
#include <sys/resource.h>

#include <algorithm>
#include <cmath>
#include <fstream>
#include <iomanip>
#include <sstream>
#include <string_view>
#include <utility>

namespace outbox::cli {
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

}  // namespace

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

}  // namespace outbox::cli
