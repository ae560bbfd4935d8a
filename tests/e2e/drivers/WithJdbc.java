// WithJdbc URL USER FILE: the lines of FILE, in hex: bytes, then texts, each in a transaction of its own
import java.nio.file.Files;
import java.nio.file.Path;
import java.sql.*;
import java.util.HexFormat;
import java.util.List;

public class WithJdbc {
  static final String insert = "INSERT INTO outbox (topic, data) VALUES (?, ?)";

  /** By their names: RETURN_GENERATED_KEYS would read every column, which a service must not. */
  static final String[] returned = {"seq", "id"};

  static void send(Connection connection, String topic, String text) throws SQLException {
    try (PreparedStatement statement = connection.prepareStatement(insert, returned)) {
      statement.setString(1, topic);
      statement.setString(2, text);
      statement.executeUpdate();
      ResultSet row = statement.getGeneratedKeys();
      if (!row.next() || row.getLong("seq") == 0) throw new IllegalStateException("no seq came back");
    }
  }

  static void call(Connection connection, String topic, String text) throws SQLException {
    try (PreparedStatement statement = connection.prepareStatement("SELECT outbox_send(?, ?)")) {
      statement.setString(1, topic);
      statement.setString(2, text);
      statement.executeQuery();
    }
  }

  public static void main(String[] words) throws Exception {
    List<String> lines = Files.readAllLines(Path.of(words[2]));
    HexFormat hex = HexFormat.of();
    try (Connection connection = DriverManager.getConnection(words[0], words[1], "")) {
      connection.setAutoCommit(false);
      for (String line : lines.subList(1, lines.size())) {
        String text = new String(hex.parseHex(line), "UTF-8");
        send(connection, "insert", text);
        call(connection, "call", text);
        connection.commit();
      }
      try (PreparedStatement statement =
          connection.prepareStatement("INSERT INTO outbox (topic, payload) VALUES (?, ?)")) {
        statement.setString(1, "bytes");
        statement.setBytes(2, hex.parseHex(lines.get(0)));
        statement.executeUpdate();
      }
      connection.commit();
      try {
        send(connection, "nul", "a\0b");
        connection.commit();
      } catch (SQLException refused) {
        System.out.println("refused: " + refused.getMessage());
      }
    }
  }
}
