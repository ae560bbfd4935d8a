// WithHibernate URL USER FILE: the lines of FILE, in hex: bytes, then texts, an entity each, in a transaction of its own
import jakarta.persistence.*;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.HexFormat;
import java.util.List;
import java.util.UUID;
import org.hibernate.SessionFactory;
import org.hibernate.annotations.Generated;
import org.hibernate.cfg.Configuration;

public class WithHibernate {
  @Entity
  @Table(name = "outbox")
  public static class Message {
    @Id
    @GeneratedValue(strategy = GenerationType.IDENTITY)
    Long seq;

    /** The database's, read back with the INSERT. */
    @Generated
    UUID id;

    String topic;
    String data;
    byte[] payload;

    @Column(name = "content_type")
    String contentType = "application/json";
  }

  static void send(SessionFactory factory, String topic, String data, byte[] payload) {
    factory.inTransaction(session -> {
      Message message = new Message();
      message.topic = topic;
      message.data = data;
      message.payload = payload;
      session.persist(message);
      session.flush();
      if (message.seq == null || message.id == null) throw new IllegalStateException("no seq, or no id, came back");
    });
  }

  public static void main(String[] words) throws Exception {
    List<String> lines = Files.readAllLines(Path.of(words[2]));
    HexFormat hex = HexFormat.of();
    Configuration configuration = new Configuration().addAnnotatedClass(Message.class)
        .setProperty("hibernate.connection.url", words[0])
        .setProperty("hibernate.connection.username", words[1]);
    try (SessionFactory factory = configuration.buildSessionFactory()) {
      for (String line : lines.subList(1, lines.size()))
        send(factory, "insert", new String(hex.parseHex(line), "UTF-8"), null);
      send(factory, "bytes", null, hex.parseHex(lines.get(0)));
      try {
        send(factory, "nul", "a\0b", null);
      } catch (RuntimeException refused) {
        System.out.println("refused: " + refused.getMessage());
      }
    }
  }
}
