#include "cli/parser.h"

#include <CLI/CLI.hpp>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <ostream>
#include <utility>

#include "cli/text.h"
#include "config/checks.h"

namespace outbox::cli {
namespace {

template <class Value>
constexpr bool is_list = false;
template <class Item>
constexpr bool is_list<std::vector<Item>> = true;

/// The innermost command that the arguments name.
const CLI::App* innermost(const CLI::App& app) {
  const CLI::App* command = &app;
  while (!command->get_subcommands().empty()) command = command->get_subcommands().back();
  return command;
}

std::string full_name(const CLI::App& command) {
  return command.get_parent() ? full_name(*command.get_parent()) + " " + command.get_name()
                              : command.get_name();
}

/// What an argument that nobody knows may have been meant to be.
std::vector<std::string> names_like(const CLI::App& command, const std::string& argument) {
  std::vector<std::string> names;
  const bool is_option = argument.starts_with('-');
  const auto add_options = [&names](const CLI::App& of) {
    for (const CLI::Option* option : of.get_options())
      for (const std::string& name : option->get_lnames()) names.push_back("--" + name);
  };
  if (is_option) add_options(command);
  for (const CLI::App* each : command.get_subcommands([](const CLI::App*) { return true; })) {
    const bool is_group = each->get_name().empty();  // of options, one of which is given
    if (is_group && is_option) add_options(*each);
    if (!is_group && !is_option) names.push_back(each->get_name());
  }
  return names;
}

void explain(const CLI::App& app, const CLI::ParseError& error, std::ostream& err) {
  const CLI::App* command = innermost(app);
  const auto unknown = app.remaining(true);
  err << "outboxd: ";
  if (!unknown.empty()) {
    const std::string name = unknown[0].substr(0, unknown[0].find('='));
    err << (name.starts_with('-') ? "unknown option " : "unknown command or argument ") << printable(name)
        << suggestion(name, names_like(*command, name));
  } else {
    err << printable(error.what());
  }
  err << "\nTry: " << full_name(*command) << " --help\n";
}

}  // namespace

Option& Option::type_name(const std::string& name) {
  option_->type_name(name);
  return *this;
}

Option& Option::required() {
  option_->required();
  return *this;
}

Option& Option::shows_default() {
  option_->capture_default_str();
  return *this;
}

Option& Option::splits_at(char delimiter) {
  option_->delimiter(delimiter);
  return *this;
}

Option& Option::check(Check check) {
  option_->check(std::move(check));
  return *this;
}

template <class Number>
Option& Option::range(Number min, Number max) {
  option_->check(CLI::Range(min, max));
  return *this;
}

template Option& Option::range(int, int);
template Option& Option::range(std::int64_t, std::int64_t);
template Option& Option::range(std::size_t, std::size_t);

Option& Option::positive() {
  option_->check(CLI::PositiveNumber);
  return *this;
}

Option& Option::not_negative() {
  option_->check(CLI::NonNegativeNumber);
  return *this;
}

Option& Option::one_of(const std::vector<std::string>& values) {
  option_->check(CLI::IsMember(values));
  return *this;
}

Option& Option::needs(Option other) {
  option_->needs(other.option_);
  return *this;
}

Subcommand Subcommand::add_command(const std::string& name, const std::string& description) {
  return Subcommand(*app_->add_subcommand(name, description));
}

Subcommand Subcommand::add_option_group(const std::string& name, const std::string& description) {
  return Subcommand(*app_->add_option_group(name, description));
}

template <class Value>
Option Subcommand::add_option(const std::string& name, Value& value, const std::string& description) {
  CLI::Option* option = app_->add_option(name, value, description);
  if constexpr (is_list<Value>) option->allow_extra_args(false);
  return Option(*option);
}

template Option Subcommand::add_option(const std::string&, int&, const std::string&);
template Option Subcommand::add_option(const std::string&, std::int64_t&, const std::string&);
template Option Subcommand::add_option(const std::string&, std::uint64_t&, const std::string&);
template Option Subcommand::add_option(const std::string&, std::string&, const std::string&);
template Option Subcommand::add_option(const std::string&, std::optional<int>&, const std::string&);
template Option Subcommand::add_option(const std::string&, std::optional<std::string>&, const std::string&);
template Option Subcommand::add_option(const std::string&, std::vector<std::int64_t>&, const std::string&);
template Option Subcommand::add_option(const std::string&, std::vector<std::string>&, const std::string&);

Option Subcommand::add_flag(const std::string& name, bool& value, const std::string& description) {
  return Option(*app_->add_flag(name, value, description));
}

void Subcommand::require_command() {
  app_->require_subcommand(1);
}

void Subcommand::require_option() {
  app_->require_option(1);
}

void Subcommand::footer(const std::string& text) {
  app_->footer(text);
}

void Subcommand::hide() {
  app_->group("");
}

void Subcommand::on_named(std::function<void()> call) {
  app_->callback(std::move(call));
}

CommandLine::CommandLine(const std::string& name, const std::string& description, const std::string& version)
    : app_(std::make_unique<CLI::App>(description, name)) {
  app_->set_version_flag("--version", version);
}

CommandLine::~CommandLine() = default;

Subcommand CommandLine::root() {
  return Subcommand(*app_);
}

CommandLine::Outcome CommandLine::read(int argc, const char* const* argv, std::ostream& out,
                                       std::ostream& err) {
  try {
    app_->parse(argc, argv);
    return Outcome::complete;
  } catch (const CLI::ParseError& error) {
    if (error.get_exit_code() == 0) {  // --help, --version
      app_->exit(error, out, err);
      return Outcome::answered;
    }
    explain(*app_, error, err);
    return Outcome::wrong;
  }
}

}  // namespace outbox::cli
