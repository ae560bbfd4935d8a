#include "adapters/brokers/nats/nats_mailbox.h"

#include <unordered_map>

namespace outbox {
namespace {

struct Directory {
  std::mutex mutex;
  std::uintptr_t last = 0;
  std::unordered_map<void*, std::weak_ptr<NatsMailbox>> entries;
};

/// Never destroyed: the library's threads may outlive main().
Directory& directory() {
  static Directory& one = *new Directory;
  return one;
}

}  // namespace

void NatsMail::clear() {
  accepted.clear();
  others.clear();
  errors.clear();
  is_leaving = false;
}

std::shared_ptr<NatsMailbox> NatsMailbox::make() {
  std::shared_ptr<NatsMailbox> mailbox(new NatsMailbox);
  Directory& all = directory();
  const std::lock_guard lock(all.mutex);
  mailbox->name_ = reinterpret_cast<void*>(++all.last);
  all.entries.emplace(mailbox->name_, mailbox);
  return mailbox;
}

NatsMailbox::~NatsMailbox() {
  Directory& all = directory();
  const std::lock_guard lock(all.mutex);
  all.entries.erase(name_);
}

std::shared_ptr<NatsMailbox> NatsMailbox::find(void* name) {
  Directory& all = directory();
  const std::lock_guard lock(all.mutex);
  const auto found = all.entries.find(name);
  return found == all.entries.end() ? nullptr : found->second.lock();
}

void NatsMailbox::put(std::uint64_t number, NatsAnswer answer) {
  const std::lock_guard lock(mutex_);
  if (answer.verdict == Verdict::accepted && !answer.duplicate)
    mail_.accepted.push_back(number);
  else
    mail_.others.emplace_back(number, std::move(answer));
  ring_once();
}

void NatsMailbox::put_error(std::string error) {
  const std::lock_guard lock(mutex_);
  mail_.errors.push_back(std::move(error));
  ring_once();
}

void NatsMailbox::put_leaving() {
  const std::lock_guard lock(mutex_);
  mail_.is_leaving = true;
  ring_once();
}

void NatsMailbox::ring_once() {
  if (!std::exchange(is_rung_, true)) bell.ring();
}

void NatsMailbox::take(NatsMail& mail) {
  mail.clear();
  const std::lock_guard lock(mutex_);
  std::swap(mail, mail_);
  is_rung_ = false;
}

}  // namespace outbox
