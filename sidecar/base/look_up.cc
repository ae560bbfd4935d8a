#include "base/look_up.h"

#include <algorithm>
#include <atomic>
#include <cassert>
#include <mutex>
#include <system_error>
#include <utility>

#include "base/background.h"
#include "base/wakeup.h"

namespace outbox {
namespace {

constexpr Duration long_in_coming = std::chrono::seconds(1);
constexpr Duration kept_for = std::chrono::seconds(30);

}  // namespace

struct LookUp::State {
  explicit State(std::vector<Question> asked) : questions(std::move(asked)) {}

  const std::vector<Question> questions;
  const Instant begun_at = now();
  std::vector<Answer> answers;
  Instant ended_at{};
  std::atomic<bool> is_over = false;
  Wakeup bell;

  void ask() {
    for (const Question& question : questions)
      answers.push_back(look_up(question.host.c_str(), question.port));
    end();
  }
  void fail(const std::string& why) {
    answers.assign(questions.size(), Error{Fault::unavailable, why});
    end();
  }
  [[nodiscard]] bool is_outdated() const {
    return is_over && (ended_at - begun_at < long_in_coming || now() - ended_at > kept_for);
  }

 private:
  void end() {
    ended_at = now();
    is_over = true;
    bell.ring();
  }
};

/// Of this process: what is under way or was long in coming.
struct LookUp::Registry {
  std::mutex mutex;
  std::vector<std::shared_ptr<State>> states;

  static Registry& instance() {
    static Registry& one = *new Registry;  // outlives every thread
    return one;
  }

  std::shared_ptr<State> state_for(std::vector<Question> questions) {
    const std::lock_guard lock(mutex);
    std::erase_if(states, [](const auto& state) { return state->is_outdated(); });
    for (const auto& state : states)
      if (state->questions == questions) return state;
    auto state = std::make_shared<State>(std::move(questions));
    try {
      BackgroundThread("look-up", [state] { state->ask(); });
      states.push_back(state);
    } catch (const std::system_error& failure) {
      state->fail(std::string("no thread can be started: ") + failure.what());
    }
    return state;
  }
};

LookUp::LookUp(std::vector<Question> questions) {
  const bool any_name = !std::ranges::all_of(questions, &is_number, &Question::host);
  if (any_name) {
    state_ = Registry::instance().state_for(std::move(questions));
  } else {
    state_ = std::make_shared<State>(std::move(questions));
    state_->ask();
  }
}

bool LookUp::is_over() const {
  return state_->is_over;
}

int LookUp::descriptor() const {
  return state_->bell.descriptor();
}

const std::vector<LookUp::Answer>& LookUp::answers() const {
  assert(is_over());
  return state_->answers;
}

}  // namespace outbox
