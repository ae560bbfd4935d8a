#include "adapters/common/batch_builder.h"

#include <algorithm>
#include <cstring>
#include <string>
#include <utility>
#include <vector>

#include "adapters/common/headers_json.h"
#include "base/text.h"
#include "base/uuid.h"

namespace outbox {
namespace {

constexpr std::size_t bytes_per_row = 512;  // where the arena starts; it grows by itself
constexpr std::size_t arena_start_max = 4u << 20;

}  // namespace

BatchBuilder::BatchBuilder(const ReadLimit& limit, std::size_t rows_expected)
    : limit_(limit),
      rows_expected_(
          std::clamp<std::size_t>(rows_expected, 1, std::max<std::size_t>(limit.messages_max, 1))) {}

void RowView::set_value(const std::optional<std::string_view>& bytes,
                        const std::optional<std::string_view>& text) {
  payload = bytes ? *bytes : text.value_or(std::string_view());
  is_tombstone = !bytes && !text;
  if (bytes && text) defect = "payload and data are both set, but a message has one value";
}

void BatchBuilder::add(const RowView& row) {
  const std::size_t texts = row.topic.size() + (row.key ? row.key->size() : 0) +
                            (row.type ? row.type->size() : 0) + row.content_type.size() + row.headers.size();
  if (texts > limit_.texts_max) return add_too_large(row, texts);
  Message& message = start(row);
  message.texts_bytes = static_cast<std::uint32_t>(texts);
  message.topic = topic_ = keep_again(row.topic, topic_);
  message.content_type = content_type_ = keep_again(row.content_type, content_type_);
  message.type = row.type ? type_ = keep_again(*row.type, type_) : message.topic;
  if (row.key) message.key = keep(*row.key);
  message.payload = keep(row.payload);
  message.is_tombstone = row.is_tombstone;
  if (row.headers != "{}") set_headers(message, row.headers);
  bytes_ += message.bytes();
}

/// With what comes before its texts.
Message& BatchBuilder::start(const RowView& row) {
  if (!arena_) {
    arena_ = std::make_shared<std::pmr::monotonic_buffer_resource>(
        std::min(rows_expected_ * bytes_per_row, arena_start_max));
    messages_.reserve(rows_expected_);
  }
  Message& message = messages_.emplace_back();
  message.seq = last_seq_ = row.seq;
  message.created_at = row.created_at;
  message.age = row.age;
  message.due_in = row.due_in;
  if (!row.defect.empty()) message.defect = keep(row.defect);
  set_id(message, row.id);
  ++count_;
  return message;
}

void BatchBuilder::add_too_large(const RowView& row, std::size_t texts) {
  Message& message = start(row);
  message.topic = keep(row.topic.size() > limit_.texts_max ? cut(row.topic) : std::string(row.topic));
  message.type = message.topic;
  if (row.key && row.key->size() <= limit_.texts_max) message.key = keep(*row.key);
  if (message.defect.empty())
    message.defect =
        keep("topic, key, type, content type and headers have " + std::to_string(texts) +
             " bytes together, more than outbox.texts_max, which is " + std::to_string(limit_.texts_max));
  message.texts_bytes =
      static_cast<std::uint32_t>(message.topic.size() + (message.key ? message.key->size() : 0));
  bytes_ += message.bytes();
}

Batch BatchBuilder::take() {
  Batch batch;
  batch.messages = std::move(messages_);
  batch.memory = std::move(arena_);
  batch.bytes = bytes_;
  return batch;
}

std::string_view BatchBuilder::keep(std::string_view text) {
  if (text.empty()) return {"", 0};
  char* copy = static_cast<char*>(arena_->allocate(text.size(), 1));
  std::memcpy(copy, text.data(), text.size());
  return {copy, text.size()};
}

std::string_view BatchBuilder::keep_again(std::string_view text, std::string_view previous) {
  return text == previous && previous.data() != nullptr ? previous : keep(text);
}

void BatchBuilder::set_id(Message& message, std::string_view id) {
  if (id.size() == 16) return format_uuid(id, message.id);
  if (copy_uuid(id, message.id)) return;
  format_uuid(std::string_view("\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0", 16), message.id);
  if (message.defect.empty())
    message.defect = "id is no UUID; it must look like 01234567-89ab-cdef-0123-456789abcdef";
}

void BatchBuilder::set_headers(Message& message, std::string_view json) {
  const std::string_view text = keep(json);
  HeaderList found;
  std::string defect;
  if (!simple_headers(text, found)) {
    found.clear();  // it may have read some before it gave up
    std::vector<std::pair<std::string, std::string>> decoded;
    defect = decode_headers(text, decoded);
    for (const auto& [name, value] : decoded) found.push_back({keep(name), keep(value)});
  }
  if (!defect.empty()) {
    if (message.defect.empty()) message.defect = keep(defect);
    return;
  }
  if (found.empty()) return;
  auto* headers = static_cast<Header*>(arena_->allocate(found.size() * sizeof(Header), alignof(Header)));
  std::uninitialized_copy(found.begin(), found.end(), headers);
  message.headers = {headers, found.size()};
}

}  // namespace outbox
