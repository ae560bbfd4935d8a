#include "http/operator_api.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <utility>
#include <vector>

#include "base/address.h"
#include "base/text.h"
#include "base/uuid.h"
#include "http/bearer.h"
#include "http/operator_json.h"
#include "http/operator_request.h"

namespace outbox {
namespace {

using Json = nlohmann::ordered_json;
using Outcome = std::variant<ApiAnswer, ApiWork>;
using Path = std::vector<std::string>;

constexpr std::string_view root = "/v1/";

/// Larger payloads are not held in memory for a page; `outboxd held show` has no such bound.
constexpr std::int64_t payload_max = 4 * 1024 * 1024;

Path split(std::string_view path) {
  Path parts;
  path.remove_prefix(root.size());
  for (;;) {
    const auto slash = std::min(path.find('/'), path.size());
    parts.emplace_back(path.substr(0, slash));
    if (slash == path.size()) return parts;
    path.remove_prefix(slash + 1);
  }
}

bool is_read(const Path& path) {
  if (path.size() == 1) return path[0] == "held";
  if (path.size() == 2) return path[0] == "messages";
  return path.size() == 3 && path[0] == "held";
}

bool is_change(const Path& path) {
  if (path.size() == 1) return path[0] == "reload";
  if (path.size() == 2) return path[0] == "held" && (path[1] == "requeue" || path[1] == "discard");
  return path.size() == 3 && path[0] == "routes" &&
         (path[2] == "pause" || path[2] == "resume" || path[2] == "replay");
}

/// The name or address in a Host header, without brackets and port, in lower case.
std::string host_name(std::string_view host) {
  if (host.starts_with('['))
    host = host.substr(1, std::min(host.find(']'), host.size()) - 1);
  else
    host = host.substr(0, host.find(':'));
  return lower(host);
}

/// Pages of other sites reach this address with the browser's help, directly or by a name of theirs that
/// resolves to it (DNS rebinding). Their requests have an Origin, or a Host that is not ours.
std::optional<ApiAnswer> refuse_foreign(const RequestHead& head, const std::string& listen_host) {
  if (head.has_origin)
    return api_error(403, "requests of web pages are refused (the request has an Origin header)");
  const std::string name = host_name(head.host);
  const bool is_any = listen_host.empty() || listen_host == "0.0.0.0" || listen_host == "::";
  if (!name.empty() && (is_any || is_loopback(name) || name == host_name(listen_host) || name == listen_host))
    return std::nullopt;
  return api_error(403, "the Host header is neither a loopback address nor the one of http.listen");
}

ApiAnswer not_found(const std::string& text = "not found") {
  return api_error(404, text);
}

ApiAnswer fault_answer(const Error& error, int refused = 409) {
  switch (error.fault) {
    case Fault::unavailable:
      return api_error(503, error.text);
    case Fault::misconfigured:
      return api_error(500, error.text);
    case Fault::fenced:
      return api_error(409, error.text);
    case Fault::refused:
      return api_error(refused, error.text);
  }
  return api_error(500, error.text);
}

ApiAnswer answer(std::string text) {
  return {200, std::move(text), ""};
}

ApiAnswer json_answer(const Json& json) {
  return answer(json_text(json));
}

ApiAnswer list_held(Admin& database, const ListRequest& question) {
  auto entries = database.held(question.filter, question.after, question.rows_max + 1);
  if (!entries) return fault_answer(entries.error());
  const bool more = entries->size() > question.rows_max;
  if (more) entries->resize(question.rows_max);
  return answer(held_page_text(*entries, more));
}

/// The message as JSON, null when there is none; the payload is read only when it is small enough.
Result<Json> read_message(Admin& database, const std::optional<std::string>& id,
                          std::optional<std::int64_t> seq, bool with_payload) {
  auto message = database.message(id, seq, false);
  if (!message) return message.error();
  if (!*message) return Json(nullptr);
  const bool fits = (*message)->payload_bytes <= payload_max;
  if (with_payload && fits) {
    message = database.message(id, seq, true);
    if (!message) return message.error();
    if (!*message) return Json(nullptr);
  }
  Json json = message_json(**message, with_payload && fits);
  if (with_payload && !fits)
    json["payload_omitted"] = "larger than 4 MiB: `outboxd held show --payload` shows it";
  return json;
}

ApiAnswer show_held(Admin& database, const ListPlace& place, bool with_payload) {
  HeldFilter filter;
  filter.route = place.route;
  filter.seqs = {place.seq};
  const auto entries = database.held(filter, std::nullopt, 1);
  if (!entries) return fault_answer(entries.error());
  if (entries->empty())
    return not_found("route " + place.route + " does not hold seq " + std::to_string(place.seq));
  const auto message = read_message(database, std::nullopt, place.seq, with_payload);
  if (!message) return fault_answer(message.error());
  return json_answer({{"held", held_json(entries->front())}, {"message", *message}});
}

ApiAnswer show_message(Admin& database, const std::string& id, bool with_payload) {
  const auto message = read_message(database, id, std::nullopt, with_payload);
  if (!message) return fault_answer(message.error());
  return message->is_null() ? not_found("there is no message " + id + "; sent ones go with outbox.retention")
                            : json_answer(*message);
}

/// What is wrong with the body before it is read as JSON.
std::optional<ApiAnswer> refuse_body(const ApiRequest& request, std::size_t body_max) {
  if (request.head.has_transfer_encoding) return api_error(411, "the body needs a Content-Length");
  if (request.head.content_length == 0) return std::nullopt;
  const std::string_view type = request.head.content_type;
  if (host_name(type.substr(0, type.find_first_of("; "))) != "application/json")
    return api_error(415, "the Content-Type of the body must be application/json");
  if (request.head.content_length > body_max)
    return api_error(413, "the body is larger than " + std::to_string(body_max) + " bytes");
  return std::nullopt;
}

}  // namespace

OperatorApi::OperatorApi(Administration administration, Options options)
    : administration_(std::move(administration)), options_(std::move(options)) {}

bool OperatorApi::is_path_of_ours(std::string_view path) {
  return path.starts_with(root);
}

Outcome OperatorApi::take(const ApiRequest& request) const {
  const Path path = split(request.path);
  const bool changes = is_change(path);
  const bool exists = changes ? !options_.token.empty() : is_read(path);
  if (!exists || !administration_.open_admin) return not_found();
  if (auto foreign = refuse_foreign(request.head, options_.listen_host)) return *std::move(foreign);
  const bool is_get = request.method == "GET" || request.method == "HEAD";
  if (changes ? request.method != "POST" : !is_get)
    return ApiAnswer{405, api_error(405, changes ? "only POST" : "only GET and HEAD").body,
                     changes ? "POST" : "GET, HEAD"};
  if (!options_.token.empty() && !has_bearer(request.head.authorization, options_.token))
    return api_error(401, "a token is needed: Authorization: Bearer <http.token>");
  return changes ? change(request, path) : read(request, path);
}

Outcome OperatorApi::read(const ApiRequest& request, const Path& path) const {
  if (path.size() == 1) {
    const auto question = read_list_request(request.query);
    if (!question) return api_error(400, question.error().text);
    return with_operator([question = *question](Admin& database) { return list_held(database, question); });
  }
  const auto payload = read_wants_payload(request.query);
  if (!payload) return api_error(400, payload.error().text);
  if (*payload && options_.token.empty())
    return api_error(403, "payloads are shown only where http.token is set");
  if (path.size() == 2) {
    const auto id = canonical_uuid(path[1]);
    if (!id) return api_error(400, "a message's id is a UUID, as in 9f1c2b7e-5d3a-4c1b-8e2f-0a1b2c3d4e5f");
    return with_operator(
        [id = *id, payload = *payload](Admin& database) { return show_message(database, id, payload); });
  }
  const auto seq = parse_seq(path[2]);
  if (!seq || !is_route_name(path[1])) return api_error(400, "write /v1/held/<route>/<seq>");
  return with_operator([place = ListPlace{path[1], *seq}, payload = *payload](Admin& database) {
    return show_held(database, place, payload);
  });
}

Outcome OperatorApi::change(const ApiRequest& request, const Path& path) const {
  if (auto refused = refuse_body(request, options_.body_max)) return *std::move(refused);
  if (!request.query.empty()) return api_error(400, "parameters are given in the body, as JSON");
  const std::string actor = "http:" + request.peer;
  if (path[0] == "held") {
    const auto order = read_action_request(request.body);
    if (!order) return api_error(400, order.error().text);
    const HeldAction action = path[1] == "requeue" ? HeldAction::requeue : HeldAction::discard;
    return with_operator([action, order = *order, actor](Admin& database) {
      const auto done = database.change_held(action, order.filter, order.rows_max, order.dry_run, actor);
      return done ? answer(matched_text(*done)) : fault_answer(done.error());
    });
  }
  if (path.back() == "replay") {
    const auto order = read_replay_request(request.body);
    if (!order) return api_error(400, order.error().text);
    return with_operator([route = path[1], order = *order, actor](Admin& database) {
      const auto done = database.replay(route, order.from, order.dry_run, actor);
      return done ? answer(matched_text(*done)) : fault_answer(done.error());
    });
  }
  if (const auto empty = read_empty_order(request.body); !empty) return api_error(400, empty.error().text);
  if (path[0] == "reload")
    return with_operator([reload = administration_.reload, actor](Admin& database) {
      const auto done = reload ? reload(actor) : Error{Fault::refused, "this process cannot reload"};
      if (!done) return fault_answer(done.error());
      const auto noted = database.note("reload", actor);
      return json_answer({{"reloaded", true}, {"audited", noted.ok()}});
    });
  return with_operator([route = path[1], paused = path[2] == "pause", actor](Admin& database) {
    const auto done = database.set_paused(route, paused, actor);
    return done ? json_answer({{"route", route}, {"paused", paused}}) : fault_answer(done.error(), 404);
  });
}

ApiWork OperatorApi::with_operator(std::function<ApiAnswer(Admin&)> work) const {
  return [open = administration_.open_admin, work = std::move(work)] {
    const auto database = open();
    return database ? work(**database) : fault_answer(database.error());
  };
}

ApiAnswer api_error(int status, const std::string& text) {
  return {status, json_text({{"error", text}}), ""};
}

std::string response_head(const ApiAnswer& answer, std::size_t body_size, bool close) {
  static const std::map<int, std::string_view> reasons = {{200, "OK"},
                                                          {400, "Bad Request"},
                                                          {401, "Unauthorized"},
                                                          {403, "Forbidden"},
                                                          {404, "Not Found"},
                                                          {405, "Method Not Allowed"},
                                                          {409, "Conflict"},
                                                          {411, "Length Required"},
                                                          {413, "Payload Too Large"},
                                                          {415, "Unsupported Media Type"},
                                                          {500, "Internal Server Error"},
                                                          {503, "Service Unavailable"},
                                                          {504, "Gateway Timeout"}};
  std::string text = "HTTP/1.1 " + std::to_string(answer.status) + " " +
                     std::string(reasons.at(answer.status)) + "\r\nContent-Type: " + answer.content_type +
                     "\r\nContent-Length: " + std::to_string(body_size) +
                     "\r\nCache-Control: no-store\r\nX-Content-Type-Options: nosniff\r\n";
  if (!answer.allow.empty()) text += "Allow: " + answer.allow + "\r\n";
  if (answer.status == 401) text += "WWW-Authenticate: Bearer\r\n";
  if (close) text += "Connection: close\r\n";
  return text + "\r\n";
}

std::string response_text(const ApiAnswer& answer, bool close, bool head_only) {
  const std::string head = response_head(answer, answer.body.size(), close);
  return head_only ? head : head + answer.body;
}

}  // namespace outbox
