// java -cp postgresql.jar PlaceOrder.java jdbc:postgresql://localhost/shop 7
import java.sql.*;

public class PlaceOrder {
  public static void main(String[] arguments) throws SQLException {
    long order = Long.parseLong(arguments[1]);
    String data = "{\"order\": " + order + ", \"customer\": \"customer-3\"}";
    try (Connection connection = DriverManager.getConnection(arguments[0])) {
      connection.setAutoCommit(false); // without a commit, closing rolls back
      try (PreparedStatement insert = connection.prepareStatement("INSERT INTO orders (id, customer) VALUES (?, ?)")) {
        insert.setLong(1, order);
        insert.setString(2, "customer-3");
        insert.executeUpdate();
      }
      try (PreparedStatement insert = connection.prepareStatement(
          "INSERT INTO outbox (topic, message_key, type, data) VALUES (?, ?, ?, ?)")) {
        insert.setString(1, "order.placed");
        insert.setString(2, Long.toString(order));
        insert.setString(3, "shop.order.placed");
        insert.setString(4, data);
        insert.executeUpdate();
      }
      connection.commit();
    }
  }
}
