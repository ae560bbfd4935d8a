// dotnet add package Npgsql && dotnet run "Host=localhost;Database=shop" 7
using Npgsql;

var order = long.Parse(args[1]);
var data = $$"""{"order": {{order}}, "customer": "customer-3"}""";

await using var connection = new NpgsqlConnection(args[0]);
await connection.OpenAsync();
await using var transaction = await connection.BeginTransactionAsync(); // without a commit, disposing rolls back

await using var place = new NpgsqlCommand("INSERT INTO orders (id, customer) VALUES ($1, $2)", connection, transaction);
place.Parameters.Add(new() { Value = order });
place.Parameters.Add(new() { Value = "customer-3" });
await place.ExecuteNonQueryAsync();

await using var send = new NpgsqlCommand(
    "INSERT INTO outbox (topic, message_key, type, data) VALUES ($1, $2, $3, $4)", connection, transaction);
foreach (object value in new object[] { "order.placed", order.ToString(), "shop.order.placed", data })
    send.Parameters.Add(new() { Value = value });
await send.ExecuteNonQueryAsync();

await transaction.CommitAsync();
