// librdkafka alone, as durably as the adapter. MORE: its settings, as NAME=VALUE.
#include <librdkafka/rdkafka.h>

#include <string>
#include <string_view>

#include "tests/bench/bare_loop.h"

namespace {

constexpr const char* settings[][2] = {{"enable.idempotence", "true"},
                                       {"enable.gapless.guarantee", "true"},
                                       {"acks", "all"},
                                       {"max.in.flight", "5"},
                                       {"partitioner", "murmur2_random"},
                                       {"allow.auto.create.topics", "false"},
                                       {"message.timeout.ms", "0"},
                                       {"linger.ms", "0"},
                                       {"batch.num.messages", "100000"},
                                       {"queue.buffering.max.messages", "10000000"}};

class Producer {
 public:
  explicit Producer(const Arguments& arguments) {
    rd_kafka_conf_t* conf = rd_kafka_conf_new();
    set(conf, "bootstrap.servers", (arguments.host + ":" + arguments.port).c_str());
    for (const auto& [name, value] : settings) set(conf, name, value);
    for (const std::string& text : arguments.more) {
      const std::size_t equals = text.find('=');
      if (equals == text.npos) fail("a setting is NAME=VALUE");
      set(conf, text.substr(0, equals).c_str(), text.c_str() + equals + 1);
    }
    rd_kafka_conf_set_events(conf, RD_KAFKA_EVENT_DR);
    rd_kafka_conf_set_log_cb(conf, [](const rd_kafka_t*, int, const char*, const char*) {});
    char why[512];
    producer_ = rd_kafka_new(RD_KAFKA_PRODUCER, conf, why, sizeof why);
    if (!producer_) fail(why);
    queue_ = rd_kafka_queue_get_main(producer_);
    topic_ = rd_kafka_topic_new(producer_, "bench", nullptr);
  }
  Producer(const Producer&) = delete;
  Producer& operator=(const Producer&) = delete;
  ~Producer() {
    rd_kafka_topic_destroy(topic_);
    rd_kafka_queue_destroy(queue_);
    rd_kafka_destroy(producer_);
  }

  void send(const Message& message) {
    rd_kafka_headers_t* headers = rd_kafka_headers_new(8);
    const auto add = [&](std::string_view name, std::string_view value) {
      rd_kafka_header_add(headers, name.data(), static_cast<ssize_t>(name.size()), value.data(),
                          static_cast<ssize_t>(value.size()));
    };
    add("ce_id", message.id);
    add("ce_source", "outboxd/bench");
    add("ce_specversion", "1.0");
    add("ce_type", "bench.happened");
    add("ce_time", "2026-01-31T12:00:00.000000Z");
    add("ce_subject", message.key);
    add("ce_partitionkey", message.key);
    add("content-type", "application/json");
    const rd_kafka_resp_err_t error =
        rd_kafka_producev(producer_, RD_KAFKA_V_RKT(topic_), RD_KAFKA_V_MSGFLAGS(RD_KAFKA_MSG_F_COPY),
                          RD_KAFKA_V_KEY(message.key.data(), message.key.size()),
                          RD_KAFKA_V_VALUE(const_cast<char*>(message.payload.data()), message.payload.size()),
                          RD_KAFKA_V_HEADERS(headers), RD_KAFKA_V_END);
    if (error != RD_KAFKA_RESP_ERR_NO_ERROR) fail(rd_kafka_err2str(error));
  }

  /// Waits for at least one report, and takes those that are there with it.
  long take() {
    long count = 0;
    rd_kafka_event_t* event = nullptr;
    while ((event = rd_kafka_queue_poll(queue_, count == 0 ? 1000 : 0))) {
      while (const rd_kafka_message_t* report = rd_kafka_event_message_next(event)) {
        if (report->err != RD_KAFKA_RESP_ERR_NO_ERROR) fail(rd_kafka_err2str(report->err));
        ++count;
      }
      rd_kafka_event_destroy(event);
    }
    return count;
  }

 private:
  static void set(rd_kafka_conf_t* conf, const char* name, const char* value) {
    char why[512];
    if (rd_kafka_conf_set(conf, name, value, why, sizeof why) != RD_KAFKA_CONF_OK) fail(why);
  }

  rd_kafka_t* producer_;
  rd_kafka_queue_t* queue_;
  rd_kafka_topic_t* topic_;
};

}  // namespace

int main(int argc, char** argv) {
  return bare_loop<Producer>(argc, argv);
}
