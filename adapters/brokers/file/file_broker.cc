#include "adapters/brokers/file/file_broker.h"

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <filesystem>
#include <memory>
#include <utility>

#include "adapters/brokers/brokers.h"
#include "adapters/common/settings.h"

namespace outbox {
namespace {

constexpr off_t block_size = 1 << 16;

constexpr SettingSpec specs[] = {
    {.key = "follow_symlinks",
     .kind = SettingSpec::Kind::boolean,
     .fallback = "false",
     .doc = "whether the file itself may be a symbolic link; its directories always may"}};

/// Wrong until somebody changes something, as opposed to a disk that may have room again.
bool is_lasting(int error) {
  switch (error) {
    case ENOENT:
    case ENOTDIR:
    case EACCES:
    case EPERM:
    case EISDIR:
    case EROFS:
    case ENAMETOOLONG:
    case ELOOP:
    case ENXIO:
    case ETXTBSY:
      return true;
    default:
      return false;
  }
}

/// A new file's name is durable only when its directory is.
void sync_directory(const std::string& path) {
  const auto parent = std::filesystem::path(path).parent_path();
  const int directory = ::open(parent.empty() ? "." : parent.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (directory < 0) return;
  ::fsync(directory);
  ::close(directory);
}

/// Where the last complete line ends; nullopt: the file cannot be read.
std::optional<off_t> end_of_lines(int descriptor, off_t size) {
  std::string block;
  for (off_t end = size; end > 0;) {
    const off_t start = end > block_size ? end - block_size : 0;
    block.resize(static_cast<std::size_t>(end - start));
    if (::pread(descriptor, block.data(), block.size(), start) != static_cast<ssize_t>(block.size()))
      return std::nullopt;
    if (const auto newline = block.rfind('\n'); newline != block.npos)
      return start + static_cast<off_t>(newline) + 1;
    end = start;
  }
  return 0;
}

/// 0, or the errno of the write that failed; what was written before it stays.
int write_all(int descriptor, std::string_view text) {
  while (!text.empty()) {
    const ssize_t size = ::write(descriptor, text.data(), text.size());
    if (size < 0 && errno == EINTR) continue;
    if (size < 0) return errno;
    if (size == 0) return EIO;
    text.remove_prefix(static_cast<std::size_t>(size));
  }
  return 0;
}

}  // namespace

FileBroker::FileBroker(std::string path, const BrokerTarget& target)
    : path_(std::move(path)),
      probe_(target.probe),
      follows_links_(setting<bool>(target.settings, "follow_symlinks")),
      lines_(target.source, target.attributes) {
  ignore_write_signals();
}

FileBroker::~FileBroker() {
  close_file();
}

void FileBroker::connect() {
  close_file();
  session_ = open_file();
  if (session_->state != Session::State::up) close_file();
}

Session FileBroker::open_file() {
  struct stat status {};
  const bool is_new = look_at_path(status) != 0;
  if (!is_new && S_ISLNK(status.st_mode)) return is_link();
  if (!is_new && !S_ISREG(status.st_mode))
    return session(Session::State::misconfigured, "is no regular file; give a file's path, or use stdout:");
  descriptor_ = ::open(path_.c_str(),
                       O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC | (follows_links_ ? 0 : O_NOFOLLOW), 0640);
  if (descriptor_ < 0 && errno == ELOOP && !follows_links_) return is_link();
  if (descriptor_ < 0)
    return session(is_lasting(errno) ? Session::State::misconfigured : Session::State::down,
                   std::string("cannot be opened for writing: ") + std::strerror(errno));
  if (is_new) sync_directory(path_);
  if (probe_) return {Session::State::up, ""};
  return lock_file();
}

int FileBroker::look_at_path(struct stat& status) const {
  return follows_links_ ? ::stat(path_.c_str(), &status) : ::lstat(path_.c_str(), &status);
}

/// Who may write the directory could otherwise have the relay append to any file that it may write.
Session FileBroker::is_link() const {
  return session(Session::State::misconfigured,
                 "is a symbolic link; give the file that it leads to, or set follow_symlinks = true");
}

Session FileBroker::lock_file() {
  if (::flock(descriptor_, LOCK_EX | LOCK_NB) == 0) return cut_torn_line();
  if (errno == EWOULDBLOCK)
    return session(Session::State::misconfigured,
                   "is being written by another process; give each relay a file of its own");
  return session(Session::State::down, std::string("cannot be locked: ") + std::strerror(errno));
}

Session FileBroker::cut_torn_line() {
  struct stat status {};
  if (::fstat(descriptor_, &status) != 0) return session(Session::State::down, std::strerror(errno));
  const auto end = end_of_lines(descriptor_, status.st_size);
  if (!end) return session(Session::State::down, "cannot be read back: " + std::string(std::strerror(errno)));
  if (*end == status.st_size) return {Session::State::up, {}};

  char torn[64];
  const ssize_t size = ::pread(descriptor_, torn, sizeof torn, *end);
  if (size <= 0 || !is_torn_event({torn, static_cast<std::size_t>(size)}))
    return session(Session::State::misconfigured,
                   "does not end with a line break and its last line is not of this relay's making; end the "
                   "line or give another file");
  if (::ftruncate(descriptor_, *end) != 0 || ::fdatasync(descriptor_) != 0)
    return session(Session::State::down,
                   "has a torn last line that cannot be cut off: " + std::string(std::strerror(errno)));
  return {Session::State::up, {}};
}

void FileBroker::submit(std::span<const Submission> messages) {
  lines_.add(messages);
  if (descriptor_ < 0) lines_.fail(Verdict::unavailable, session(Session::State::down, "is not open").reason);
}

void FileBroker::poll(Duration timeout, Answers& answers) {
  if (!lines_.text().empty()) write_batch();
  const bool has_deliveries = lines_.deliver(answers);
  if (session_) answers.session = std::exchange(session_, std::nullopt);
  if (!has_deliveries && !answers.session) wakeup_.wait(timeout);
}

void FileBroker::write_batch() {
  struct stat opened {};
  if (::fstat(descriptor_, &opened) != 0) return end_session(Verdict::unavailable, std::strerror(errno));
  if (!is_still_ours(opened))
    return end_session(Verdict::unavailable, "was moved or removed; a new one is begun");
  if (const int error = write_all(descriptor_, lines_.text()); error != 0)
    return take_back(opened.st_size, std::string("cannot be written: ") + std::strerror(error));
  if (::fdatasync(descriptor_) != 0)
    return take_back(opened.st_size, std::string("cannot be synced to disk: ") + std::strerror(errno));
  lines_.written(lines_.text().size());
}

/// What is written after a rename or a removal would be lost with the old file, or end up where nobody looks.
bool FileBroker::is_still_ours(const struct stat& opened) const {
  struct stat named {};
  return look_at_path(named) == 0 && named.st_ino == opened.st_ino && named.st_dev == opened.st_dev;
}

/// The batch is undone as a whole: a line that stayed behind would be there twice after the next attempt.
void FileBroker::take_back(off_t end, const std::string& what) {
  const bool is_undone = ::ftruncate(descriptor_, end) == 0;
  end_session(is_undone ? Verdict::unavailable : Verdict::in_doubt, what);
}

void FileBroker::end_session(Verdict verdict, const std::string& what) {
  session_ = session(Session::State::down, what);
  lines_.fail(verdict, session_->reason);
  close_file();
}

Session FileBroker::session(Session::State state, std::string_view what) const {
  return {state, "file: " + path_ + " " + std::string(what)};
}

void FileBroker::close_file() {
  if (descriptor_ >= 0) ::close(descriptor_);
  descriptor_ = -1;
}

BrokerAdapter file_adapter() {
  const auto open = [](const BrokerTarget& target) -> Result<std::unique_ptr<Broker>> {
    std::string_view path = std::string_view(target.url).substr(std::string_view("file:").size());
    if (path.starts_with("//")) {
      path.remove_prefix(2);
      if (!path.starts_with('/'))
        return Error{Fault::misconfigured,
                     "file: the URL names a host; write file:path, or file:///absolute/path"};
    }
    if (path.empty() || path.ends_with('/'))
      return Error{Fault::misconfigured, "file: the URL names no file; write file:path"};
    if (path.find('\0') != path.npos) return Error{Fault::misconfigured, "file: the path contains a NUL"};
    if (target.sessions > 1)
      return Error{Fault::misconfigured,
                   "file: a file has one writer, and relay.shards = " + std::to_string(target.sessions) +
                       " would make as many; set relay.shards = 1"};
    return std::unique_ptr<Broker>(std::make_unique<FileBroker>(std::string(path), target));
  };
  return {.name = "file", .schemes = {"file"}, .settings = specs, .open = open};
}

}  // namespace outbox
