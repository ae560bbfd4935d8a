// What every broker adapter must do, whatever the broker: one suite, run by each adapter's test with a
// fixture of its own against the real thing.
#pragma once

#include <chrono>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "core/adapter.h"
#include "core/broker.h"
#include "tests/support/eventually.h"
#include "tests/support/rows.h"

namespace outbox::test {

/// Whether HTTP's headers carry it (RFC 9110), written out once more, beside the adapters' own rules.
bool is_token(std::string_view text);
bool is_field_value(std::string_view text);

/// A message as a consumer sees it, with the protocol's prefixes taken off.
struct Received {
  std::string topic;
  std::string payload;
  std::optional<std::string> content_type;
  std::map<std::string, std::string>
      attributes;                              ///< id, source, specversion, type, time, subject, partitionkey
  std::map<std::string, std::string> headers;  ///< the row's own

  /// A field of the message: the content type, an attribute whose name begins with `prefix`, or a header.
  void add(std::string_view content_type_name, std::string_view prefix, const std::string& name,
           std::string value);
  [[nodiscard]] std::string id() const { return attributes.count("id") ? attributes.at("id") : ""; }
};

class BrokerFixture {
 public:
  virtual ~BrokerFixture() = default;
  /// A broker that is configured rightly and whose server runs. The source is "/tests".
  virtual std::unique_ptr<Broker> open(Attributes attributes = Attributes::full) = 0;
  /// All that has arrived, read by other means than the adapter's; per topic in the order of arrival.
  virtual std::vector<Received> received() = 0;
  /// False: the broker keeps nothing that could be read back.
  [[nodiscard]] virtual bool keeps() const { return true; }
  /// False: the protocol has no topic of this name, and messages to it must be rejected.
  [[nodiscard]] virtual bool carries_topic(std::string_view) const { return true; }
  /// False: the protocol has no header of this name, and messages with one must be rejected.
  [[nodiscard]] virtual bool carries_header_name(std::string_view) const { return true; }
  /// False: the same for a header's value.
  [[nodiscard]] virtual bool carries_header_value(std::string_view) const { return true; }
  /// Names of headers that the protocol or the binding keeps for itself, each with a part of the reason; and
  /// names close to them, which are anybody's.
  [[nodiscard]] virtual std::vector<std::pair<std::string, std::string>> reserved_headers() const {
    return {};
  }
  [[nodiscard]] virtual std::vector<std::string> free_headers() const { return {}; }
  /// False: no reader takes attributes from the payload instead, because the content type says so.
  [[nodiscard]] virtual bool has_structured_mode() const { return true; }
  /// False: messages that are submitted together arrive in any order.
  [[nodiscard]] virtual bool is_ordered() const { return true; }
  /// As large as the server takes one in its own configuration; a megabyte is large enough.
  [[nodiscard]] virtual std::size_t payload_max() const { return 1 << 20; }
};

/// Runs every claim as a SUBCASE; call it from a TEST_CASE with a fresh fixture.
void broker_suite(BrokerFixture& fixture);

/// Every setting of the adapter with its default, as the configuration would hand them over.
Settings default_settings(std::span<const SettingSpec> specs);
/// Opens `url` with the default settings, save those given. Throws when the adapter refuses.
std::unique_ptr<Broker> open_broker(const BrokerAdapter& adapter, const std::string& url,
                                    const Settings& changed = {}, Attributes attributes = Attributes::full);

/// Why the adapter does not open `url` with the default settings, save those given: fails the test when it
/// does, and when the reason shows "hidden".
std::string refusal(const BrokerAdapter& adapter, const std::string& url, const Settings& changed = {},
                    int sessions = 1);

/// What `outboxd check` says of a server. Whatever is not well comes with its fix, or the test fails.
class CheckReport {
 public:
  CheckReport(const BrokerAdapter& adapter, const std::string& url,
              const std::vector<std::string>& topics = {}, const Settings& changed = {});

  /// The first that says this; fails the test when there is none.
  [[nodiscard]] Finding about(std::string_view text) const;
  /// Its level: "ok", "warning", "fault"; "none" when there is none.
  [[nodiscard]] std::string of(std::string_view text) const;
  [[nodiscard]] bool are_all_ok() const;
  [[nodiscard]] const std::vector<Finding>& all() const { return all_; }

 private:
  std::vector<Finding> all_;
};

/// Drives a broker as the runtime does, and remembers what it said.
class Driver {
 public:
  explicit Driver(Broker& broker) : broker_(broker) {}

  /// Begins a session; how it stands once the broker says so. Fails the test when it does not within 10 s.
  Session connect();
  void submit(std::span<const Submission> messages);
  /// Polls until every submitted message has its delivery; those since the last call, in their order.
  std::vector<Delivery> deliveries(std::chrono::milliseconds deadline = patience);
  /// Polls until the session changes.
  Session session(std::chrono::milliseconds deadline = patience);
  /// connect() if need be, submit, deliveries.
  std::vector<Delivery> publish(const Rows& rows, std::int64_t first = 1);

 private:
  bool poll();

  Broker& broker_;
  std::size_t open_ = 0;
  bool is_up_ = false;
  std::vector<Delivery> deliveries_;
  std::optional<Session> session_;
};

/// How many have this verdict.
std::size_t count(const std::vector<Delivery>& deliveries, Verdict verdict);
/// The one delivery of this ticket; fails the test when there is none or more.
Delivery delivery_of(const std::vector<Delivery>& deliveries, std::int64_t number);

}  // namespace outbox::test
