// Where a server's hosts are: looked up before libpq is asked to connect, which would wait for the system's
// resolver as long as that likes. Any thread.
#pragma once

#include <vector>

#include "adapters/stores/postgresql/connection_settings.h"
#include "base/look_up.h"

namespace outbox::postgresql {

/// The same with every address of every host, in this order (libpq's hostaddr). Hosts that are not found are
/// left out. Waits for connect_timeout at the most. Errors: unavailable, none was found.
Result<ConnectionSettings> with_addresses(const ConnectionSettings& settings);

/// Pure: which hosts have to be looked up.
std::vector<LookUp::Question> unknown_hosts(const ConnectionSettings& settings);
/// Pure: the answers to these, filled in. Errors: see above.
Result<ConnectionSettings> filled_in(const ConnectionSettings& settings,
                                     const std::vector<LookUp::Answer>& answers);

}  // namespace outbox::postgresql
