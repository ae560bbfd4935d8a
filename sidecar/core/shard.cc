#include "core/shard.h"

#include <algorithm>
#include <cstddef>
#include <iterator>

namespace outbox {

std::vector<bool> wanted_shards(const std::string& me, const std::set<std::string>& live,
                                const std::vector<std::string>& holders) {
  const std::size_t relays = std::max<std::size_t>(live.size(), 1);
  const auto rank = static_cast<std::size_t>(std::distance(live.begin(), live.find(me)));
  const std::size_t extra = holders.size() % relays;
  std::size_t share = holders.size() / relays + (rank < extra ? 1 : 0);

  std::vector<bool> wanted(holders.size(), false);
  for (std::size_t shard = 0; shard < holders.size(); ++shard) {
    if (holders[shard] != me || share == 0) continue;
    wanted[shard] = true;
    --share;
  }
  for (std::size_t i = 0; i < holders.size(); ++i) {
    const std::size_t shard =
        (i + rank) % holders.size();  // so that two who lack one do not ask for the same
    if (holders[shard] == me) continue;
    if (live.contains(holders[shard])) {
      wanted[shard] = true;
    } else if (share > 0) {
      wanted[shard] = true;
      --share;
    }
  }
  return wanted;
}

}  // namespace outbox
