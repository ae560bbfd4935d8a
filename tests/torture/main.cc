// outbox_torture: breaks the relay and its servers in every way of the table, and counts what got lost.
#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <mutex>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "tests/torture/scenario.h"

namespace outbox::test {
namespace {

constexpr std::string_view usage =
    "usage: outbox_torture [--scenario NAME]... [--except NAME]... [--runs N] [--seed S] [--jobs N] "
    "[--short]\n"
    "                      [--list]\n"
    "  Runs every scenario, or those named, and prints a line for each. Exit code 1: something was lost,\n"
    "  uncommitted, inverted, repeated too often, or got stuck. 77: nothing was, but a scenario was "
    "skipped,\n"
    "  because what it needs is not installed.\n"
    "  --runs N    so many faults per scenario; default: those of the full set, see --list\n"
    "  --seed S    of the first round; the next round has the next one (default: 1)\n"
    "  --jobs N    rounds at the same time; default: as the scenario says\n"
    "  --short     the short set: a few faults of each kind\n";

struct Options {
  std::vector<std::string> names, except;
  int runs = 0;
  unsigned seed = 1;
  int jobs = 0;
  bool is_short = false, list = false;
};

struct Total {
  int faults = 0;
  Findings findings;
  std::size_t violations = 0;
};

class Run {
 public:
  Run(const Scenario& scenario, Servers& servers, const Options& options)
      : scenario_(scenario), servers_(servers), options_(options) {
    wanted_ = options.runs > 0 ? options.runs : options.is_short ? scenario.faults_short : scenario.faults;
    rounds_ = (wanted_ + scenario.per_round - 1) / scenario.per_round;
  }

  Total play() {
    const int jobs = std::min(options_.jobs > 0 ? options_.jobs : scenario_.jobs, std::min(rounds_, 16));
    std::vector<std::jthread> threads;
    for (int lane = 0; lane < jobs; ++lane) threads.emplace_back([this, lane] { work(lane); });
    threads.clear();
    return total_;
  }

 private:
  void work(int lane) {
    for (int number = next_++; number < rounds_; number = next_++) {
      const unsigned seed = options_.seed + static_cast<unsigned>(number);
      const Round round{servers_,
                        seed,
                        static_cast<int>(seed % 1'000'000),
                        std::min(scenario_.per_round, wanted_ - number * scenario_.per_round),
                        scenario_.per_round,
                        lane};
      Outcome outcome;
      try {
        outcome = scenario_.play(round);
      } catch (const std::exception& error) {
        outcome.violations.push_back(std::string("the scenario itself failed: ") + error.what());
      }
      add(round, outcome);
    }
  }

  void add(const Round& round, const Outcome& outcome) {
    const std::lock_guard lock(mutex_);
    total_.faults += outcome.faults;
    total_.findings.messages += outcome.findings.messages;
    total_.findings.lost += outcome.findings.lost;
    total_.findings.uncommitted += outcome.findings.uncommitted;
    total_.findings.inverted += outcome.findings.inverted;
    total_.findings.duplicates += outcome.findings.duplicates;
    total_.violations += outcome.violations.size();
    for (const std::string& what : outcome.violations)
      std::fprintf(stderr, "VIOLATION %s: %s\n  again: outbox_torture --scenario %s --seed %u --runs %d\n",
                   scenario_.name.c_str(), what.c_str(), scenario_.name.c_str(), round.seed, round.faults);
  }

  const Scenario& scenario_;
  Servers& servers_;
  const Options& options_;
  int wanted_ = 0, rounds_ = 0;
  std::atomic<int> next_ = 0;
  std::mutex mutex_;
  Total total_;
};

bool is_wanted(const Options& options, const Scenario& scenario) {
  const auto names_it = [&](const std::vector<std::string>& names) {
    return std::ranges::find(names, scenario.name) != names.end();
  };
  return (options.names.empty() || names_it(options.names)) && !names_it(options.except);
}

int list() {
  for (const Scenario& scenario : scenarios())
    std::printf("%-20s %5d (short: %3d)  %s\n", scenario.name.c_str(), scenario.faults, scenario.faults_short,
                scenario.what.c_str());
  return 0;
}

int run_all(const Options& options) {
  bool is_clean = true, is_whole = true;
  Servers servers;
  std::printf("%-20s %6s %9s %5s %12s %9s %11s %7s\n", "scenario", "runs", "messages", "lost", "uncommitted",
              "inverted", "duplicates", "seconds");
  for (const Scenario& scenario : scenarios()) {
    if (!is_wanted(options, scenario)) continue;
    if (const std::string missing = scenario.missing(); !missing.empty()) {
      std::printf("%-20s skipped: %s\n", scenario.name.c_str(), missing.c_str());
      is_whole = false;
      continue;
    }
    const auto begun = std::chrono::steady_clock::now();
    servers.start(scenario.postgresql, scenario.redis);
    const Total total = Run(scenario, servers, options).play();
    const double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - begun).count();
    std::printf("%-20s %6d %9zu %5zu %12zu %9zu %11zu %7.1f%s\n", scenario.name.c_str(), total.faults,
                total.findings.messages, total.findings.lost, total.findings.uncommitted,
                total.findings.inverted, total.findings.duplicates, seconds,
                total.violations > 0 ? "  VIOLATED" : "");
    std::fflush(stdout);
    is_clean = is_clean && total.violations == 0;
  }
  if (!is_clean) return 1;
  return is_whole ? 0 : 77;
}

bool is_known(const std::string& name) {
  return std::ranges::any_of(scenarios(), [&](const Scenario& scenario) { return scenario.name == name; });
}

int torture(const std::vector<std::string>& arguments) {
  Options options;
  for (std::size_t i = 0; i < arguments.size(); ++i) {
    const std::string& option = arguments[i];
    if (option == "--help" || option == "-h") return std::fputs(usage.data(), stdout) < 0;
    if (option == "--list")
      options.list = true;
    else if (option == "--short")
      options.is_short = true;
    else if (i + 1 == arguments.size())
      return std::fputs(usage.data(), stderr), 2;
    else if (option == "--scenario" && is_known(arguments[i + 1]))
      options.names.push_back(arguments[++i]);
    else if (option == "--except" && is_known(arguments[i + 1]))
      options.except.push_back(arguments[++i]);
    else if (option == "--runs")
      options.runs = std::atoi(arguments[++i].c_str());
    else if (option == "--seed")
      options.seed = static_cast<unsigned>(std::strtoul(arguments[++i].c_str(), nullptr, 10));
    else if (option == "--jobs")
      options.jobs = std::atoi(arguments[++i].c_str());
    else
      return std::fputs(usage.data(), stderr), 2;
  }
  return options.list ? list() : run_all(options);
}

}  // namespace
}  // namespace outbox::test

int main(int argc, char** argv) {
  try {
    return outbox::test::torture(std::vector<std::string>(argv + 1, argv + argc));
  } catch (const std::exception& error) {
    std::fprintf(stderr, "outbox_torture: %s\n", error.what());
    return 1;
  }
}
