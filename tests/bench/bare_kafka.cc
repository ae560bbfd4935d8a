// The measure that the Kafka adapter is held against: nothing but librdkafka, sending the messages that
// `outboxd bench` sends, as durably, as fast as one producer takes them with so many in flight.
// Usage: bare_kafka HOST PORT MESSAGES PAYLOAD_BYTES KEYS WINDOW [NAME=VALUE...]
#include <librdkafka/rdkafka.h>

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <string_view>
#include <vector>

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

[[noreturn]] void fail(const char* why) {
  std::fprintf(stderr, "bare_kafka: %s\n", why);
  std::exit(1);
}

struct Message {
  std::string id = "00000000-0000-4000-8000-000000000000";
  std::string key;
  std::string payload;
};

class Producer {
 public:
  Producer(const std::string& servers, int more, char** assignments) {
    rd_kafka_conf_t* conf = rd_kafka_conf_new();
    set(conf, "bootstrap.servers", servers.c_str());
    for (const auto& [name, value] : settings) set(conf, name, value);
    for (int i = 0; i < more; ++i) {
      const std::string text = assignments[i];
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
  long take_reports() {
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
  if (argc < 7) {
    std::fprintf(stderr, "usage: bare_kafka HOST PORT MESSAGES PAYLOAD_BYTES KEYS WINDOW [NAME=VALUE...]\n");
    return 2;
  }
  const long count = std::atol(argv[3]);
  const long keys = std::atol(argv[5]);
  const long window = std::atol(argv[6]);
  Producer kafka(std::string(argv[1]) + ":" + argv[2], argc - 7, argv + 7);
  Message message;
  message.payload.assign(static_cast<std::size_t>(std::atol(argv[4])), 'x');
  std::vector<std::string> key_texts;
  for (long i = 0; i < keys; ++i) key_texts.push_back("key-" + std::to_string(i));

  const auto begun = std::chrono::steady_clock::now();
  long in_flight = 0;
  for (long sent = 0; sent < count || in_flight > 0;) {
    for (; sent < count && in_flight < window; ++sent, ++in_flight) {
      std::snprintf(&message.id[24], 13, "%012lx", static_cast<unsigned long>(sent));
      message.key = key_texts[static_cast<std::size_t>(sent % keys)];
      kafka.send(message);
    }
    in_flight -= kafka.take_reports();
  }
  const double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - begun).count();
  std::printf("{\"messages_per_second\": %.0f}\n", static_cast<double>(count) / seconds);
  return 0;
}
