#include "runtime/log.h"

#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/spdlog.h>

#include <mutex>

#include "runtime/log_text.h"

namespace outbox {
namespace {

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
    const std::lock_guard lock(mutex_);
    const auto line = rendered(format_, log_text::timestamp_now(), level, event, fields);
    logger_.log(spdlog_level(level), spdlog::string_view_t(line.data(), line.size()));
  }

  void flush() {
    const std::lock_guard lock(mutex_);
    logger_.flush();
  }

 private:
  Log() {
    logger_.set_pattern("%v");
    logger_.flush_on(spdlog::level::debug);
  }

  std::mutex mutex_;
  LogFormat format_ = LogFormat::text;
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

}  // namespace outbox
