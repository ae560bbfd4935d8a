// Commands, options and flags: what the arguments may be. A wall before CLI11, which takes seconds to compile
// wherever it is included: parser.cc alone does. Main thread.
#pragma once

#include <functional>
#include <iosfwd>
#include <memory>
#include <string>
#include <vector>

namespace CLI {
class App;
class Option;
}  // namespace CLI

namespace outbox::cli {

/// What is wrong with a value; empty: nothing.
using Check = std::function<std::string(const std::string& value)>;

/// One option of a command; lives as long as its CommandLine.
class Option {
 public:
  explicit Option(CLI::Option& option) : option_(&option) {}

  Option& type_name(const std::string& name);
  Option& required();
  Option& shows_default();
  Option& splits_at(char delimiter);
  Option& check(Check check);
  /// `Number`: int, std::int64_t or std::size_t; the help says which kind.
  template <class Number>
  Option& range(Number min, Number max);
  Option& positive();
  Option& not_negative();
  Option& one_of(const std::vector<std::string>& values);
  /// It is wrong without the other one.
  Option& needs(Option other);

 private:
  CLI::Option* option_;
};

/// A command, or a group of its options; lives as long as its CommandLine.
class Subcommand {
 public:
  explicit Subcommand(CLI::App& app) : app_(&app) {}

  Subcommand add_command(const std::string& name, const std::string& description);
  Subcommand add_option_group(const std::string& name, const std::string& description);

  /// `value` must outlive the reading. A vector takes one value each time the option is named. parser.cc
  /// lists the types of values.
  template <class Value>
  Option add_option(const std::string& name, Value& value, const std::string& description = "");
  Option add_flag(const std::string& name, bool& value, const std::string& description);

  /// Exactly one command of this one has to be named.
  void require_command();
  /// Exactly one option of this group has to be named.
  void require_option();
  void footer(const std::string& text);
  /// The help does not list it.
  void hide();
  /// Called while the arguments are read, when they name this command and all is right with its options.
  void on_named(std::function<void()> call);

 private:
  CLI::App* app_;
};

/// Owns the commands.
class CommandLine {
 public:
  CommandLine(const std::string& name, const std::string& description, const std::string& version);
  ~CommandLine();

  Subcommand root();

  enum class Outcome { complete, answered, wrong };

  /// Fills in the values. `answered`: --help or --version, said on `out`. `wrong`: said on `err`.
  [[nodiscard]] Outcome read(int argc, const char* const* argv, std::ostream& out, std::ostream& err);

 private:
  std::unique_ptr<CLI::App> app_;
};

}  // namespace outbox::cli
