// Port: what operators do to a route and its held rows. Each change is one transaction with its line in
// outbox_audit; a dry run changes nothing and leaves no line. Blocking; each object belongs to the thread
// that made it. Adapters: adapters/stores/<name>.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/result.h"
#include "core/store.h"

namespace outbox {

/// Which held rows; what is not set does not matter.
struct HeldFilter {
  std::optional<std::string> route;
  std::vector<std::int64_t> seqs;  ///< empty: any
  std::optional<HeldState> state;
  std::optional<std::string> key;
  std::optional<std::string> topic;
};

/// One held row for people. Times are RFC 3339, empty when not set. What comes from the outbox is empty when
/// its row is gone.
struct HeldEntry {
  std::string route;
  std::int64_t seq = 0;
  int shard = 0;
  std::string id;
  std::string topic;
  std::optional<std::string> key;
  HeldState state = HeldState::retrying;
  int attempts = 0;
  std::string next_attempt_at;
  std::string last_error;
  std::string held_at;
  std::string first_failed_at;
  std::string last_failed_at;
};

/// Where the next page of a list begins: behind this row.
struct HeldPlace {
  std::string route;
  std::int64_t seq = 0;
};

/// A row of the outbox for people.
struct MessageDetails {
  std::int64_t seq = 0;
  std::string id;
  std::string topic;
  std::optional<std::string> key;
  std::string type;
  std::string content_type;
  std::string headers;  ///< as the row has them, JSON text
  std::string created_at;
  std::string deliver_at;
  std::int64_t payload_bytes = 0;
  std::string payload;                                      ///< only when asked for
  std::vector<std::pair<std::string, std::string>> routes;  ///< route and state, as in outbox_status
};

enum class HeldAction {
  requeue,  ///< tried again at once, attempts begin anew; per key in order among those requeued
  discard,  ///< never delivered; the row itself goes with retention
};

struct Matched {
  std::int64_t matched = 0;
  std::int64_t changed = 0;  ///< 0 in a dry run
};

/// Where a mark is put.
struct MarkPlace {
  enum class Kind { oldest, now, seq, time } kind = Kind::oldest;
  std::int64_t seq = 0;  ///< the first row that goes out again
  std::string time;      ///< RFC 3339: rows created from then on go out again
};

class Operator {
 public:
  virtual ~Operator() = default;

  /// In the order of route and seq, from behind `after`.
  virtual Result<std::vector<HeldEntry>> held(const HeldFilter& filter, const std::optional<HeldPlace>& after,
                                              std::size_t rows_max) = 0;

  /// nullopt: there is no such row. `id` (canonical) or `seq`, whichever is set.
  virtual Result<std::optional<MessageDetails>> message(const std::optional<std::string>& id,
                                                        std::optional<std::int64_t> seq,
                                                        bool with_payload) = 0;

  /// At most `rows_max` rows, the oldest first. Running relays hear of it within a second. A row that is
  /// being published at this moment may arrive although it is discarded.
  virtual Result<Matched> change_held(HeldAction action, const HeldFilter& filter, std::int64_t rows_max,
                                      bool dry_run, const std::string& actor) = 0;

  /// Persisted; running relays notice within a second or at their next renewal. Errors: refused (no such
  /// route).
  virtual Result<void> set_paused(const std::string& route, bool paused, const std::string& actor) = 0;

  /// The route delivers again what is retained from there on, once more and in order; its lease is taken from
  /// whoever holds it. Rows that it has not sent yet are never skipped. How many rows lie behind the place.
  /// Errors: refused (no such route, no such place, kind now).
  virtual Result<Matched> replay(const std::string& route, const MarkPlace& from, bool dry_run,
                                 const std::string& actor) = 0;

  /// After a restore or a move: puts the mark where the operator says, also ahead, and vouches for the
  /// database as it is now. nullopt: every route. Errors: refused (no such route).
  virtual Result<Matched> rebase(const std::optional<std::string>& route, const MarkPlace& from, bool dry_run,
                                 const std::string& actor) = 0;

  /// Only writes down what somebody had a relay do that changes nothing in the database, such as a reload.
  virtual Result<void> note(const std::string& action, const std::string& actor) = 0;
};

}  // namespace outbox
