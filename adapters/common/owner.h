// Who holds a lease, written so that another relay on the same machine can tell a dead holder from a silent
// one. Any thread.
#pragma once

#include <string>
#include <string_view>

namespace outbox {

/// This process: <hostname>/<boot id>/<pid namespace>/<pid>/<start time>. No two processes ever have the
/// same; a part that cannot be found out is empty, and then nobody can prove the owner gone.
std::string this_owner();

/// True only if the owner's process surely runs no more: it ran under this boot and in this pid namespace,
/// and its pid is free, belongs to a process that started at another time, or has exited and waits to be
/// reaped. Every doubt is false.
bool provably_gone(std::string_view owner);

/// Somebody holds the lease whose owner this is (empty: nobody), unless it is provably gone.
inline bool may_live(std::string_view owner) {
  return !owner.empty() && !provably_gone(owner);
}

}  // namespace outbox
