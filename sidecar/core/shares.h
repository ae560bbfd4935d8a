// Which shards of a route a relay is to hold, so that all live relays together hold them evenly. Pure: every
// relay reckons for itself from what the database says, and the leases decide where two disagree for a
// moment.
#pragma once

#include <set>
#include <string>
#include <vector>

namespace outbox {

/// `holders`: the owner of each shard, empty where nobody holds it. `live`: the relays that take part, `me`
/// among them. For each shard, whether `me` is to hold it or to stand by for it: what others hold that are
/// alive is stood by for, so that it is taken over when they die.
std::vector<bool> wanted_shards(const std::string& me, const std::set<std::string>& live,
                                const std::vector<std::string>& holders);

}  // namespace outbox
