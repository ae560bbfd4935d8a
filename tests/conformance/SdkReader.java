// Reads events with the CloudEvents SDK for Java, for sdk_test.py: SdkReader KAFKA_SERVER TOPIC COUNT RECORD_OF_HTTP LINES.
// One line of JSON per event: where it was read, its attributes, and its data in base64.

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import io.cloudevents.CloudEvent;
import io.cloudevents.core.provider.EventFormatProvider;
import io.cloudevents.http.HttpMessageFactory;
import io.cloudevents.kafka.CloudEventDeserializer;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.Base64;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.serialization.StringDeserializer;

public class SdkReader {
  static final ObjectMapper json = new ObjectMapper();

  static void print(String from, CloudEvent event) {
    ObjectNode line = json.createObjectNode().put("from", from);
    ObjectNode attributes = line.putObject("attributes");
    for (String name : event.getAttributeNames())
      if (event.getAttribute(name) != null) attributes.put(name, event.getAttribute(name).toString());
    for (String name : event.getExtensionNames())
      attributes.put(name, event.getExtension(name).toString());
    byte[] data = event.getData() == null ? new byte[0] : event.getData().toBytes();
    line.put("data", Base64.getEncoder().encodeToString(data));
    System.out.println(line);
  }

  static void readKafka(String server, String topic, int count) {
    Map<String, Object> settings = Map.of("bootstrap.servers", server, "auto.offset.reset", "earliest");
    try (KafkaConsumer<String, CloudEvent> consumer =
        new KafkaConsumer<>(settings, new StringDeserializer(), new CloudEventDeserializer())) {
      consumer.assign(consumer.partitionsFor(topic).stream()
          .map(partition -> new TopicPartition(topic, partition.partition())).toList());
      long deadline = System.nanoTime() + Duration.ofSeconds(30).toNanos();
      for (int read = 0; read < count && System.nanoTime() < deadline; )
        for (ConsumerRecord<String, CloudEvent> record : consumer.poll(Duration.ofMillis(100))) {
          print("kafka", record.value());
          ++read;
        }
    }
  }

  static void readHttp(String file) throws Exception {
    for (String line : Files.readAllLines(Path.of(file))) {
      JsonNode request = json.readTree(line);
      if (!request.get("method").asText().equals("POST")) continue;
      Map<String, String> headers = new TreeMap<>();
      for (JsonNode header : request.get("headers"))  // as servers in Java take them: Latin-1
        headers.put(header.get(0).asText(), new String(header.get(1).binaryValue(), StandardCharsets.ISO_8859_1));
      print("http", HttpMessageFactory.createReader(headers, request.get("body").binaryValue()).toEvent());
    }
  }

  static void readLines(String file) throws Exception {
    for (String line : Files.readAllLines(Path.of(file)))
      print("lines", EventFormatProvider.getInstance().resolveFormat("application/cloudevents+json")
          .deserialize(line.getBytes(StandardCharsets.UTF_8)));
  }

  public static void main(String[] words) throws Exception {
    readKafka(words[0], words[1], Integer.parseInt(words[2]));
    readHttp(words[3]);
    readLines(words[4]);
  }
}
