// g++ place_order_postgresql.cc -lpqxx -lpq && ./a.out postgresql://localhost/shop 7
#include <iostream>
#include <pqxx/pqxx>
#include <string>

int main(int, char** argv) try {
  pqxx::connection connection(argv[1]);
  const std::string order = argv[2];
  const std::string data = R"({"order": )" + order + R"(, "customer": "customer-3"})";

  pqxx::work transaction(connection);
  transaction.exec_params("INSERT INTO orders (id, customer) VALUES ($1, $2)", order, "customer-3");
  transaction.exec_params(
      "INSERT INTO outbox (topic, message_key, type, data) VALUES ($1, $2, $3, $4)",
      "order.placed", order, "shop.order.placed", data);
  transaction.commit();  // both rows or, when anything above throws, none
  return 0;
} catch (const std::exception& error) {
  std::cerr << error.what() << '\n';
  return 1;
}
