#include "tests/support/kafka_mock.h"

#include <librdkafka/rdkafka.h>
#include <librdkafka/rdkafka_mock.h>

#include <cstdint>
#include <stdexcept>

namespace outbox::test {
namespace {

void check(rd_kafka_resp_err_t error) {
  if (error) throw std::runtime_error(std::string("kafka mock: ") + rd_kafka_err2str(error));
}

}  // namespace

KafkaMock::KafkaMock(int brokers) {
  char why[512];
  rd_kafka_conf_t* const configuration = rd_kafka_conf_new();
  rd_kafka_conf_set_log_cb(configuration, [](const rd_kafka_t*, int, const char*, const char*) {});
  host_ = rd_kafka_new(RD_KAFKA_PRODUCER, configuration, why, sizeof why);
  if (!host_) throw std::runtime_error(std::string("kafka mock: ") + why);
  cluster_ = rd_kafka_mock_cluster_new(host_, brokers);
  if (!cluster_) throw std::runtime_error("kafka mock: no cluster");
}

KafkaMock::~KafkaMock() {
  rd_kafka_mock_cluster_destroy(cluster_);
  rd_kafka_destroy(host_);
}

std::string KafkaMock::servers() const {
  return rd_kafka_mock_cluster_bootstraps(cluster_);
}

int KafkaMock::port() const {
  const std::string all = servers();
  return std::stoi(all.substr(all.find(':') + 1));
}

void KafkaMock::create_topic(const std::string& name, int partitions) {
  check(rd_kafka_mock_topic_create(cluster_, name.c_str(), partitions, 1));
}

void KafkaMock::set_leader(const std::string& topic, int partition, int broker) {
  check(rd_kafka_mock_partition_set_leader(cluster_, topic.c_str(), partition, broker));
}

void KafkaMock::set_down(int broker, bool is_down) {
  check(is_down ? rd_kafka_mock_broker_set_down(cluster_, broker)
                : rd_kafka_mock_broker_set_up(cluster_, broker));
}

void KafkaMock::delay(int broker, int milliseconds) {
  check(rd_kafka_mock_broker_set_rtt(cluster_, broker, milliseconds));
}

void KafkaMock::answer(int request, const std::vector<int>& errors) {
  rd_kafka_mock_clear_request_errors(cluster_, static_cast<std::int16_t>(request));
  std::vector<rd_kafka_resp_err_t> answers;
  for (const int error : errors) answers.push_back(static_cast<rd_kafka_resp_err_t>(error));
  rd_kafka_mock_push_request_errors_array(cluster_, static_cast<std::int16_t>(request), answers.size(),
                                          answers.data());
}

}  // namespace outbox::test
