// The relay's configuration, validated. Plain data; defaults are contract's.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "core/adapter.h"
#include "core/store.h"

namespace outbox {

struct RouteConfig {
  std::string name = "main";
  std::string to;                           ///< broker URL, with secrets
  std::vector<std::string> topics = {"*"};  ///< patterns; '*' matches any run of characters
  Start start = Start::oldest;
  Attributes attributes = Attributes::full;  ///< headers = "full" | "minimal"
  Settings settings;                         ///< of the adapter that `to` names; every key present
};

struct Config {
  std::string database_url;  ///< with secrets

  std::string table = "outbox";
  Duration retention = std::chrono::hours(1);
  std::optional<Duration> dead_retention;  ///< nullopt: dead letters stay until an operator decides

  int texts_max = 65536;  ///< bytes of a row beside its payload

  int window = 4096;
  Duration drain_timeout = std::chrono::seconds(10);
  Duration lease = std::chrono::seconds(10);
  int shards = 1;
  std::string source;  ///< CloudEvents source; never empty after loading

  int attempts_max = 10;
  Duration backoff_min = std::chrono::milliseconds(200);
  Duration backoff_max = std::chrono::minutes(5);
  bool block_on_dead = false;  ///< on_dead = "block"
  int held_max = 200'000;      ///< rows held per route beyond which it stops reading

  std::string http_listen = "127.0.0.1:8477";  ///< empty: off
  std::string http_token;

  std::string log_format = "text";
  std::string log_level = "info";

  std::vector<RouteConfig> routes;
};

}  // namespace outbox
