#include "adapters/stores/postgresql/host_addresses.h"

#include <algorithm>
#include <cstdlib>
#include <string>
#include <string_view>
#include <utility>

#include "base/text.h"

namespace outbox::postgresql {
namespace {

constexpr Duration patience_max = std::chrono::seconds(60);

/// As libpq takes it: its environment goes behind what is given.
std::string given(const ConnectionSettings& settings, std::string_view name, const char* variable) {
  if (std::string value = value_of(settings, name); !value.empty()) return value;
  const char* const value = std::getenv(variable);
  return value ? value : "";
}

std::vector<std::string> parts_of(const std::string& list) {
  std::vector<std::string> parts(1);
  for (const char c : list)
    if (c == ',')
      parts.emplace_back();
    else
      parts.back() += c;
  return parts;
}

/// Neither the default, nor the directory or the abstract name of a socket.
bool is_host(const std::string& host) {
  return !host.empty() && host.front() != '/' && host.front() != '@';
}

std::vector<std::string> hosts_of(const ConnectionSettings& settings) {
  if (!given(settings, "hostaddr", "PGHOSTADDR").empty()) return {};
  return parts_of(given(settings, "host", "PGHOST"));
}

void set(ConnectionSettings& settings, const std::string& name, std::string value) {
  std::erase_if(settings, [&](const auto& setting) { return setting.first == name; });
  settings.emplace_back(name, std::move(value));
}

/// One list of libpq's, item by item.
class List {
 public:
  void add(std::string_view item) {
    if (!is_empty_) text_ += ',';
    is_empty_ = false;
    text_ += item;
  }
  [[nodiscard]] bool is_empty() const { return is_empty_; }
  [[nodiscard]] const std::string& text() const { return text_; }

 private:
  std::string text_;
  bool is_empty_ = true;
};

}  // namespace

std::vector<LookUp::Question> unknown_hosts(const ConnectionSettings& settings) {
  std::vector<LookUp::Question> questions;
  for (std::string& host : hosts_of(settings))
    if (is_host(host)) questions.push_back({std::move(host)});
  return questions;
}

// https://www.postgresql.org/docs/current/libpq-connect.html#LIBPQ-CONNECT-HOSTADDR: the host stays, for the
// certificate and the password file.
Result<ConnectionSettings> filled_in(const ConnectionSettings& settings,
                                     const std::vector<LookUp::Answer>& answers) {
  const std::vector<std::string> hosts = hosts_of(settings);
  const std::vector<std::string> ports = parts_of(given(settings, "port", "PGPORT"));
  if (ports.size() != 1 && ports.size() != hosts.size()) return settings;  // libpq says what is wrong
  List names, addresses, numbers;
  std::string why;
  std::size_t question = 0;
  for (std::size_t i = 0; i < hosts.size(); ++i) {
    const auto add = [&](std::string_view address) {
      names.add(hosts[i]);
      addresses.add(address);
      numbers.add(ports[ports.size() == 1 ? 0 : i]);
    };
    if (!is_host(hosts[i])) {
      add("");
      continue;
    }
    const LookUp::Answer& answer = answers[question++];
    if (answer)
      for (const SocketAddress& address : *answer) add(address.host());
    else
      why = "\"" + hosts[i] + "\": " + answer.error().text;
  }
  if (names.is_empty())
    return Error{Fault::unavailable, "postgresql.connect: could not translate host name " + why + " (" +
                                         place_of(settings) + ")"};
  ConnectionSettings filled = settings;
  set(filled, "host", names.text());
  set(filled, "hostaddr", addresses.text());
  if (ports.size() > 1) set(filled, "port", numbers.text());
  return filled;
}

Result<ConnectionSettings> with_addresses(const ConnectionSettings& settings) {
  std::vector<LookUp::Question> questions = unknown_hosts(settings);
  if (questions.empty()) return settings;
  const LookUp look_up(std::move(questions));
  const auto timeout = parse_number<int>(given(settings, "connect_timeout", "PGCONNECT_TIMEOUT")).value_or(0);
  const Duration patience = timeout > 0 ? std::chrono::seconds(timeout) : patience_max;
  if (!look_up.wait(patience))
    return Error{Fault::unavailable,
                 "postgresql.connect: the host's name is still being looked up (" + place_of(settings) + ")"};
  return filled_in(settings, look_up.answers());
}

}  // namespace outbox::postgresql
