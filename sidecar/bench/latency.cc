#include <algorithm>
#include <atomic>
#include <charconv>
#include <condition_variable>
#include <mutex>
#include <ostream>
#include <random>
#include <thread>
#include <unordered_map>

#include "bench/measuring.h"
#include "bench/wrapped_broker.h"
#include "runtime/log.h"

namespace outbox::bench {
namespace {

using namespace std::chrono_literals;

constexpr Duration ready_time_max = 10s;
constexpr Duration last_answers_time_max = 10s;

std::string hexadecimal(std::uint64_t number, std::size_t digits) {
  std::string text(digits, '0');
  for (std::size_t i = digits; i > 0; number >>= 4) text[--i] = "0123456789abcdef"[number & 15];
  return text;
}

/// When each message of the run was handed to the database, committed and accepted. One entry has one
/// producer; `accepted` is the lane's.
class Log {
 public:
  explicit Log(std::size_t count) : entries_(count) {
    std::random_device random;
    id_prefix_ = hexadecimal(random(), 8) + "-0000-4000-8000-";
  }

  struct Entry {
    Instant sending{}, committed{};
    std::atomic<Instant> accepted{Instant{}};
  };

  [[nodiscard]] std::size_t size() const { return entries_.size(); }
  Entry& at(std::size_t index) { return entries_[index]; }

  [[nodiscard]] std::string id_of(std::size_t index) const { return id_prefix_ + hexadecimal(index, 12); }

  /// The entry of a message; nullptr when it is not of this run.
  Entry* entry_of(std::string_view id) {
    if (!id.starts_with(id_prefix_)) return nullptr;
    std::size_t index = 0;
    std::from_chars(id.data() + id_prefix_.size(), id.data() + id.size(), index, 16);
    return index < entries_.size() ? &entries_[index] : nullptr;
  }

  void count_accepted() { ++accepted_; }
  [[nodiscard]] std::size_t accepted() const { return accepted_; }

 private:
  std::vector<Entry> entries_;
  std::string id_prefix_;
  std::atomic<std::size_t> accepted_ = 0;
};

class AcceptanceLog final : public ForwardingBroker {
 public:
  AcceptanceLog(std::unique_ptr<Broker> broker, Log& log) : ForwardingBroker(std::move(broker)), log_(log) {}

  void submit(std::span<const Submission> messages) override {
    for (const Submission& submission : messages)
      if (Log::Entry* entry = log_.entry_of(submission.message->id_text())) open_[submission.ticket] = entry;
    ForwardingBroker::submit(messages);
  }

  void poll(Duration timeout, Answers& answers) override {
    ForwardingBroker::poll(timeout, answers);
    if (answers.deliveries.empty()) return;
    const Instant now = std::chrono::steady_clock::now();
    for (const Delivery& delivery : answers.deliveries) {
      const auto found = open_.find(delivery.ticket);
      if (found == open_.end()) continue;
      if (delivery.verdict == Verdict::accepted && found->second->accepted.load() == Instant{}) {
        found->second->accepted = now;
        log_.count_accepted();
      }
      open_.erase(found);
    }
  }

 private:
  Log& log_;
  std::unordered_map<Ticket, Log::Entry*> open_;
};

/// Commits messages at their times, whatever became of the ones before.
class Producers {
 public:
  Producers(const Task& task, Log& log) : task_(task), log_(log) {}

  /// Returns when all are committed. The first failure ends all.
  Result<void> run() {
    const Instant begun = std::chrono::steady_clock::now() + 10ms;
    std::vector<std::thread> threads;
    for (int number = 0; number < task_.options.producers; ++number)
      threads.emplace_back([this, number, begun] { produce(number, begun); });
    for (std::thread& thread : threads) thread.join();
    const std::lock_guard lock(mutex_);
    return failed_ ? Result<void>(*failed_) : Result<void>();
  }

 private:
  void produce(int number, Instant begun) {
    const Config& config = task_.config;
    const auto admin = adapter_for(task_.adapters.stores, config.database_url)
                           ->open_admin({config.database_url, config.table});
    if (!admin) return fail_with(admin.error());
    NewRow row = sample_row(task_.options.payload_bytes);
    const auto step = static_cast<std::size_t>(task_.options.producers);
    for (auto index = static_cast<std::size_t>(number); index < log_.size(); index += step) {
      const auto due = begun + std::chrono::nanoseconds(static_cast<std::int64_t>(index) * 1'000'000'000 /
                                                        task_.options.rate);
      if (!wait_until(due)) return;
      row.id = log_.id_of(index);
      if (task_.options.keys > 0)
        row.key = "key-" + std::to_string(index % static_cast<std::size_t>(task_.options.keys));
      Log::Entry& entry = log_.at(index);
      entry.sending = std::chrono::steady_clock::now();
      const auto sent = (*admin)->send(row);
      if (!sent) return fail_with(sent.error());
      entry.committed = std::chrono::steady_clock::now();
    }
  }

  bool wait_until(Instant due) {
    std::unique_lock lock(mutex_);
    return !failure_.wait_until(lock, due, [&] { return failed_.has_value(); });
  }

  void fail_with(const Error& error) {
    {
      const std::lock_guard lock(mutex_);
      if (!failed_) failed_ = error;
    }
    failure_.notify_all();
  }

  const Task& task_;
  Log& log_;
  std::mutex mutex_;
  std::condition_variable failure_;
  std::optional<Error> failed_;
};

/// Asks every few milliseconds: none of what is asked for rings a bell.
template <class Condition>
bool eventually(Duration time_max, Condition condition) {
  std::mutex mutex;
  std::condition_variable never;
  std::unique_lock lock(mutex);
  const Instant deadline = std::chrono::steady_clock::now() + time_max;
  while (!condition()) {
    if (std::chrono::steady_clock::now() >= deadline) return false;
    never.wait_for(lock, 5ms);
  }
  return true;
}

std::vector<Figure> figures_of(Log& log, const Options& options) {
  std::vector<double> from_commit, from_send, commit;
  const auto first = static_cast<std::size_t>(options.rate * options.warm_up_seconds);
  for (std::size_t index = first; index < log.size(); ++index) {
    const Log::Entry& entry = log.at(index);
    const auto milliseconds = [](Duration time) {
      return std::max(0.0, std::chrono::duration<double, std::milli>(time).count());
    };
    // The acceptance may come before the producer has seen its own commit: that is no time at all.
    from_commit.push_back(milliseconds(entry.accepted.load() - entry.committed));
    from_send.push_back(milliseconds(entry.accepted.load() - entry.sending));
    commit.push_back(milliseconds(entry.committed - entry.sending));
  }
  const Duration span = log.at(log.size() - 1).committed - log.at(first).sending;
  std::vector<Figure> figures = {
      {"messages", static_cast<double>(from_commit.size())},
      {"commits_per_second",
       static_cast<double>(from_commit.size()) / std::chrono::duration<double>(span).count(), 1}};
  const auto add = [&](const std::string& name, std::vector<double>& values) {
    std::ranges::sort(values);
    figures.push_back({name + "_p50_milliseconds", percentile(values, 0.5), 3});
    figures.push_back({name + "_p90_milliseconds", percentile(values, 0.9), 3});
    figures.push_back({name + "_p99_milliseconds", percentile(values, 0.99), 3});
    figures.push_back({name + "_max_milliseconds", values.empty() ? 0 : values.back(), 3});
  };
  add("committed_to_accepted", from_commit);
  add("sending_to_accepted", from_send);
  add("sending_to_committed", commit);
  return figures;
}

/// With the relay at work; says what is wrong when it does not come to work.
Result<void> produce_all(const Task& task, Log& log, const RelayProcess& process) {
  const bool ready = eventually(ready_time_max,
                                [&] { return process.status().routes.front().state == RouteState::running; });
  if (!ready) {
    const RouteStatus route = process.status().routes.front();
    return Error{Fault::unavailable, "the relay does not run within 10 s: " + route.last_error};
  }
  if (auto produced = Producers(task, log).run(); !produced) return produced;
  if (!eventually(last_answers_time_max, [&] { return log.accepted() == log.size(); }))
    return Error{Fault::unavailable, std::to_string(log.size() - log.accepted()) + " of " +
                                         std::to_string(log.size()) +
                                         " messages were not accepted 10 s after the last commit: " +
                                         process.status().routes.front().last_error};
  return {};
}

}  // namespace

Result<Outcome> latency(Task task) {
  if (const auto admin = migrated(task); !admin) return admin.error();
  const Options& options = task.options;
  task.config.routes.front().start = Start::now;
  Log log(static_cast<std::size_t>(options.rate * (options.seconds + options.warm_up_seconds)));
  const auto assembled = assemble_wrapped(
      task,
      [&](std::unique_ptr<Broker> broker) { return std::make_unique<AcceptanceLog>(std::move(broker), log); },
      false);
  if (!assembled) return assembled.error();
  const auto& process = *assembled;
  const UsageMeter meter;
  std::thread relay([&] { process->run(); });
  const auto produced = produce_all(task, log, *process);
  const UsageMeter::Usage usage = meter.usage();
  process->request_stop();
  relay.join();
  flush_log();
  if (!produced) return produced.error();
  auto figures = figures_of(log, options);
  figures.push_back({"cpu_seconds_with_producers", usage.cpu_seconds, 2});
  figures.push_back({"resident_peak_megabytes", usage.resident_peak_megabytes, 1});
  return Outcome{std::move(figures), {}};
}

}  // namespace outbox::bench
