#include "runtime/log.h"

#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/spdlog.h>

#include <algorithm>
#include <mutex>

#include "runtime/log_text.h"

namespace outbox {
namespace {

constexpr auto repeat_interval = std::chrono::minutes(1);

spdlog::level::level_enum spdlog_level(Level level) {
  switch (level) {
    case Level::debug:
      return spdlog::level::debug;
    case Level::info:
      return spdlog::level::info;
    case Level::warning:
      return spdlog::level::warn;
    case Level::error:
      return spdlog::level::err;
  }
  return spdlog::level::info;
}

/// What makes two warnings the same: all but the numbers, which change with every attempt.
std::string identity(std::string_view event, std::span<const Field> fields) {
  std::string result(event);
  for (const Field& field : fields) {
    const auto* text = std::get_if<std::string_view>(&field.value);
    if (!text) continue;
    result += ' ';
    log_text::append_name_and_value(result, field.name, *text);
  }
  return result;
}

class Log {
 public:
  static Log& get() {
    static Log log;
    return log;
  }

  void set_up(LogFormat format, Level level) {
    const std::lock_guard lock(mutex_);
    format_ = format;
    logger_.set_level(spdlog_level(level));
  }

  void write(Level level, std::string_view event, std::span<const Field> fields) {
    if (!logger_.should_log(spdlog_level(level))) return;
    const Instant now = outbox::now();
    const std::lock_guard lock(mutex_);
    say_repeated(now);
    if (level >= Level::warning && !filter_.admit(identity(event, fields), now)) return;
    emit(level, event, fields);
  }

  void flush() {
    const std::lock_guard lock(mutex_);
    say_repeated(Instant::max());
    logger_.flush();
  }

 private:
  Log() {
    logger_.set_pattern("%v");
    logger_.flush_on(spdlog::level::debug);
  }

  void say_repeated(Instant now) {
    for (const auto& repeated : filter_.take_ended(now)) {
      const Field fields[] = {{"line", repeated.line}, {"times", repeated.times}};
      emit(Level::warning, "repeated", fields);
    }
  }

  void emit(Level level, std::string_view event, std::span<const Field> fields) {
    const auto line = rendered(format_, log_text::timestamp_now(), level, event, fields);
    logger_.log(spdlog_level(level), spdlog::string_view_t(line.data(), line.size()));
  }

  std::mutex mutex_;
  LogFormat format_ = LogFormat::text;
  RepeatFilter filter_{repeat_interval};
  spdlog::logger logger_{"outboxd", std::make_shared<spdlog::sinks::stderr_sink_mt>()};
};

}  // namespace

void set_up_log(std::string_view format, std::string_view level) {
  Level lowest = Level::info;
  for (Level candidate : {Level::debug, Level::info, Level::warning, Level::error})
    if (log_text::name_of(candidate) == level) lowest = candidate;
  Log::get().set_up(format == "json" ? LogFormat::json : LogFormat::text, lowest);
}

void log_line(Level level, std::string_view event, std::initializer_list<Field> fields) {
  Log::get().write(level, event, {fields.begin(), fields.size()});
}

void flush_log() {
  Log::get().flush();
}

bool RepeatFilter::admit(std::string_view line, Instant now) {
  const auto found = seen_.find(line);
  if (found != seen_.end() && now - found->second.since < interval_) {
    ++found->second.suppressed;
    return false;
  }
  if (found != seen_.end()) {
    if (found->second.suppressed > 0) forgotten_.push_back({found->first, found->second.suppressed});
    found->second = {now};
    return true;
  }
  if (seen_.size() >= lines_max_) {
    const auto oldest =
        std::ranges::min_element(seen_, {}, [](const auto& entry) { return entry.second.since; });
    if (oldest->second.suppressed > 0) forgotten_.push_back({oldest->first, oldest->second.suppressed});
    seen_.erase(oldest);
  }
  seen_.emplace(line, Seen{now});
  return true;
}

std::vector<RepeatFilter::Repeated> RepeatFilter::take_ended(Instant now) {
  std::vector<Repeated> result = std::move(forgotten_);
  forgotten_.clear();
  for (auto entry = seen_.begin(); entry != seen_.end();) {
    if (now != Instant::max() && now - entry->second.since < interval_) {
      ++entry;
      continue;
    }
    if (entry->second.suppressed > 0) result.push_back({entry->first, entry->second.suppressed});
    entry = seen_.erase(entry);
  }
  return result;
}

}  // namespace outbox
