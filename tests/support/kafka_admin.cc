#include "tests/support/kafka_admin.h"

#include <librdkafka/rdkafka.h>

#include <cstdint>
#include <memory>
#include <stdexcept>
#include <vector>

#include "base/owned.h"
#include "tests/support/eventually.h"

namespace outbox::test {
namespace {

constexpr int patience_milliseconds = 60'000;

using Queue = Owned<rd_kafka_queue_t, rd_kafka_queue_destroy>;
using Event = Owned<rd_kafka_event_t, rd_kafka_event_destroy>;

[[noreturn]] void fail(const std::string& what, const char* why) {
  throw std::runtime_error("kafka: " + what + ": " + (why ? why : "no reason was given"));
}

Event answer_of(const Queue& queue, const std::string& what) {
  Event event(rd_kafka_queue_poll(queue.get(), patience_milliseconds));
  if (!event) fail(what, "no answer");
  if (rd_kafka_event_error(event.get())) fail(what, rd_kafka_event_error_string(event.get()));
  return event;
}

void check_topics(const rd_kafka_topic_result_t** results, std::size_t count, const std::string& what) {
  for (std::size_t i = 0; i < count; ++i)
    if (rd_kafka_topic_result_error(results[i])) fail(what, rd_kafka_topic_result_error_string(results[i]));
}

}  // namespace

KafkaAdmin::KafkaAdmin(int port) : port_(port) {
  connect();
}

/// Also to forget what it has learned of topics: it may believe for long that a new one has no leader.
void KafkaAdmin::connect() {
  if (client_) rd_kafka_destroy(client_);
  char why[512];
  rd_kafka_conf_t* const configuration = rd_kafka_conf_new();
  const std::string server = "127.0.0.1:" + std::to_string(port_);
  rd_kafka_conf_set(configuration, "bootstrap.servers", server.c_str(), why, sizeof why);
  rd_kafka_conf_set(configuration, "reconnect.backoff.max.ms", "100", why, sizeof why);
  rd_kafka_conf_set_log_cb(configuration, [](const rd_kafka_t*, int, const char*, const char*) {});
  client_ = rd_kafka_new(RD_KAFKA_PRODUCER, configuration, why, sizeof why);
  if (!client_) fail("admin client", why);
}

KafkaAdmin::~KafkaAdmin() {
  rd_kafka_destroy(client_);
}

bool KafkaAdmin::is_answered() {
  const rd_kafka_metadata_t* metadata = nullptr;
  if (rd_kafka_metadata(client_, 0, nullptr, &metadata, 1000)) return false;
  rd_kafka_metadata_destroy(metadata);
  return true;
}

void KafkaAdmin::create_topic(const std::string& name, int partitions,
                              const std::map<std::string, std::string>& configuration) {
  char why[512];
  rd_kafka_NewTopic_t* topic = rd_kafka_NewTopic_new(name.c_str(), partitions, 1, why, sizeof why);
  if (!topic) fail("topic " + name, why);
  for (const auto& [key, value] : configuration)
    rd_kafka_NewTopic_set_config(topic, key.c_str(), value.c_str());
  const Queue queue(rd_kafka_queue_new(client_));
  rd_kafka_CreateTopics(client_, &topic, 1, nullptr, queue.get());
  rd_kafka_NewTopic_destroy(topic);
  const Event event = answer_of(queue, "create " + name);
  std::size_t count = 0;
  check_topics(rd_kafka_CreateTopics_result_topics(rd_kafka_event_CreateTopics_result(event.get()), &count),
               count, "create " + name);
  // The broker learns later that it leads it.
  const auto is_led = [&](int partition) {
    std::int64_t low = 0, high = 0;
    if (!rd_kafka_query_watermark_offsets(client_, name.c_str(), partition, &low, &high, 2000)) return true;
    connect();
    return false;
  };
  for (int i = 0; i < partitions; ++i)
    if (!eventually([&] { return is_led(i); })) fail("create " + name, "it has no leader");
}

void KafkaAdmin::delete_topic(const std::string& name) {
  rd_kafka_DeleteTopic_t* topic = rd_kafka_DeleteTopic_new(name.c_str());
  const Queue queue(rd_kafka_queue_new(client_));
  rd_kafka_DeleteTopics(client_, &topic, 1, nullptr, queue.get());
  rd_kafka_DeleteTopic_destroy(topic);
  const Event event = answer_of(queue, "delete " + name);
  std::size_t count = 0;
  check_topics(rd_kafka_DeleteTopics_result_topics(rd_kafka_event_DeleteTopics_result(event.get()), &count),
               count, "delete " + name);
}

void KafkaAdmin::empty_topic(const std::string& name, int partitions) {
  std::string fault;
  const auto is_emptied = [&] {
    if ((fault = try_to_empty(name, partitions)).empty()) return true;
    connect();
    return false;
  };
  if (!eventually(is_emptied)) fail("empty " + name, fault.c_str());
}

std::string KafkaAdmin::try_to_empty(const std::string& name, int partitions) {
  rd_kafka_topic_partition_list_t* const offsets = rd_kafka_topic_partition_list_new(partitions);
  for (int i = 0; i < partitions; ++i)
    rd_kafka_topic_partition_list_add(offsets, name.c_str(), i)->offset = RD_KAFKA_OFFSET_END;
  rd_kafka_DeleteRecords_t* records = rd_kafka_DeleteRecords_new(offsets);
  const Queue queue(rd_kafka_queue_new(client_));
  rd_kafka_DeleteRecords(client_, &records, 1, nullptr, queue.get());
  rd_kafka_DeleteRecords_destroy(records);
  rd_kafka_topic_partition_list_destroy(offsets);
  const Event event(rd_kafka_queue_poll(queue.get(), patience_milliseconds));
  if (!event) return "no answer";
  if (rd_kafka_event_error(event.get())) return rd_kafka_event_error_string(event.get());
  const auto* const emptied =
      rd_kafka_DeleteRecords_result_offsets(rd_kafka_event_DeleteRecords_result(event.get()));
  for (int i = 0; i < emptied->cnt; ++i)
    if (emptied->elems[i].err) return rd_kafka_err2str(emptied->elems[i].err);
  return {};
}

void KafkaAdmin::grant(const std::string& user, const std::string& topic_prefix, bool may_write) {
  const std::string principal = "User:" + user;
  std::vector<rd_kafka_AclBinding_t*> rights;
  for (const auto operation : {RD_KAFKA_ACL_OPERATION_DESCRIBE, RD_KAFKA_ACL_OPERATION_WRITE}) {
    if (operation == RD_KAFKA_ACL_OPERATION_WRITE && !may_write) continue;
    char why[512];
    rights.push_back(rd_kafka_AclBinding_new(RD_KAFKA_RESOURCE_TOPIC, topic_prefix.c_str(),
                                             RD_KAFKA_RESOURCE_PATTERN_PREFIXED, principal.c_str(), "*",
                                             operation, RD_KAFKA_ACL_PERMISSION_TYPE_ALLOW, why, sizeof why));
  }
  const Queue queue(rd_kafka_queue_new(client_));
  rd_kafka_CreateAcls(client_, rights.data(), rights.size(), nullptr, queue.get());
  rd_kafka_AclBinding_destroy_array(rights.data(), rights.size());
  const Event event = answer_of(queue, "grant " + topic_prefix);
  std::size_t count = 0;
  const auto* const results =
      rd_kafka_CreateAcls_result_acls(rd_kafka_event_CreateAcls_result(event.get()), &count);
  for (std::size_t i = 0; i < count; ++i)
    if (const rd_kafka_error_t* const error = rd_kafka_acl_result_error(results[i]))
      fail("grant " + topic_prefix, rd_kafka_error_string(error));
}

}  // namespace outbox::test
