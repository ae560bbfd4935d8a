#include <algorithm>
#include <iomanip>
#include <ostream>
#include <sstream>

#include "cli/subcommand.h"

namespace outbox::cli {
namespace {

struct MigrateOptions : CommonOptions {
  std::string dialect;
  bool force = false;
  bool down = false;
};

/// A database with what this program and what the database knows of migrations.
struct History {
  std::span<const Migration> known;
  std::unique_ptr<Admin> admin;
  std::vector<AppliedMigration> applied;

  [[nodiscard]] const AppliedMigration* applied_one(int version) const {
    const auto found = std::ranges::find(applied, version, &AppliedMigration::version);
    return found == applied.end() ? nullptr : &*found;
  }
  [[nodiscard]] const Migration* known_one(int version) const {
    const auto found = std::ranges::find(known, version, &Migration::version);
    return found == known.end() ? nullptr : &*found;
  }
};

std::string label(int version, const std::string& name) {
  std::ostringstream text;
  text << std::setw(4) << std::setfill('0') << version << "_" << name;
  return text.str();
}

Result<History> connect(const Context& context, const Config& config) {
  History history;
  history.known = store_adapter(context, config).migrations;
  auto admin = open_admin(context, config);
  if (!admin) return admin.error();
  history.admin = std::move(*admin);
  auto applied = history.admin->migrations();
  if (!applied) return applied.error();
  history.applied = std::move(*applied);
  std::ranges::sort(history.applied, {}, &AppliedMigration::version);
  return history;
}

/// Files of another content than those that were applied, and files that this program does not have.
std::vector<std::string> differences(const History& history) {
  std::vector<std::string> result;
  for (const AppliedMigration& applied : history.applied) {
    const Migration* known = history.known_one(applied.version);
    const std::string name = label(applied.version, applied.name);
    if (!known)
      result.push_back(name + " was applied by a newer outboxd; use that version");
    else if (known->checksum != applied.checksum)
      result.push_back(name + " was applied with another content (checksum " +
                       applied.checksum.substr(0, 12) + ", now " + known->checksum.substr(0, 12) +
                       "); use the outboxd that applied it, or compare by hand");
  }
  return result;
}

int refuse(const Context& context, const std::vector<std::string>& reasons) {
  for (const std::string& reason : reasons) context.wiring.err << "outboxd: " << printable(reason) << "\n";
  context.wiring.err << "outboxd: nothing was changed\n";
  return exit_code::failed;
}

int up(const Context& context, const History& history) {
  if (const auto reasons = differences(history); !reasons.empty()) return refuse(context, reasons);
  int count = 0;
  for (const Migration& migration : history.known) {
    if (history.applied_one(migration.version)) continue;
    const auto applied = history.admin->apply(migration);
    if (!applied) return fail(context, applied.error());
    context.wiring.out << label(migration.version, migration.name)
                       << (*applied ? " applied\n" : " was applied by another process meanwhile\n");
    ++count;
  }
  if (count == 0)
    context.wiring.out << "nothing to do: " << history.applied.size() << " of " << history.known.size()
                       << " applied\n";
  return exit_code::done;
}

int down(const Context& context, const History& history, bool force) {
  if (history.applied.empty()) {
    context.wiring.out << "nothing to do: none applied\n";
    return exit_code::done;
  }
  if (const auto reasons = differences(history); !reasons.empty() && !force) return refuse(context, reasons);
  const AppliedMigration& last = history.applied.back();
  const Migration* migration = history.known_one(last.version);
  if (!migration)
    return refuse(context,
                  {label(last.version, last.name) + " is not known to this outboxd: it cannot revert it"});
  if (const auto reverted = history.admin->revert(*migration, force); !reverted)
    return fail(context, reverted.error());
  context.wiring.out << label(migration->version, migration->name) << " reverted\n";
  return exit_code::done;
}

int status(const Context& context, const History& history) {
  std::vector<std::vector<std::string>> rows;
  for (const Migration& migration : history.known) {
    const AppliedMigration* applied = history.applied_one(migration.version);
    const std::string state = !applied                                  ? "pending"
                              : applied->checksum == migration.checksum ? "applied"
                                                                        : "changed";
    rows.push_back({label(migration.version, migration.name), state, applied ? applied->applied_at : ""});
  }
  for (const AppliedMigration& applied : history.applied)
    if (!history.known_one(applied.version))
      rows.push_back({label(applied.version, applied.name), "unknown", applied.applied_at});
  context.wiring.out << table({"MIGRATION", "STATE", "APPLIED AT"}, rows);
  const auto reasons = differences(history);
  for (const std::string& reason : reasons) context.wiring.err << "outboxd: " << printable(reason) << "\n";
  return reasons.empty() ? exit_code::done : exit_code::failed;
}

template <class Action>
int with_history(const Context& context, const MigrateOptions& options, Action action) {
  const auto config = configure(context, options, Need::database);
  if (!config) return exit_code::configuration;
  const auto history = connect(context, *config);
  return history ? action(*history) : fail(context, history.error());
}

/// The dialect asked for, else that of the configured database.
const StoreAdapter* dialect_of(const Context& context, const MigrateOptions& options) {
  if (options.dialect.empty()) {
    const auto config = configure(context, options, Need::database);
    return config ? &store_adapter(context, *config) : nullptr;
  }
  const auto found = std::ranges::find(context.wiring.adapters.stores, options.dialect, &StoreAdapter::name);
  return found == context.wiring.adapters.stores.end() ? nullptr : &*found;
}

int print(const Context& context, const MigrateOptions& options) {
  const StoreAdapter* adapter = dialect_of(context, options);
  if (!adapter) return exit_code::configuration;
  std::vector<Migration> migrations(adapter->migrations.begin(), adapter->migrations.end());
  if (options.down) std::ranges::reverse(migrations);
  for (const Migration& migration : migrations)
    context.wiring.out << "-- " << label(migration.version, migration.name)
                       << (options.down ? ".down.sql\n" : ".up.sql\n")
                       << (options.down ? migration.down : migration.up) << "\n";
  return exit_code::done;
}

using Options = std::shared_ptr<MigrateOptions>;

Subcommand add_step(Subcommand migrate, Context& context, const Options& options, const std::string& name,
                    const std::string& description, int (*act)(const Context&, const MigrateOptions&)) {
  auto command = migrate.add_command(name, description);
  add_config_options(command, *options);
  add_database_option(command, *options);
  on_run(command, context, options, act);
  return command;
}

}  // namespace

void add_migrate(Subcommand app, Context& context) {
  auto migrate = app.add_command("migrate", "Creates and changes the tables of the outbox");
  migrate.require_command();
  auto options = std::make_shared<MigrateOptions>();
  add_step(migrate, context, options, "up",
           "Applies what is not applied yet; safe from several processes at once",
           [](const Context& at, const MigrateOptions& with) {
             return with_history(at, with, [&](const History& history) { return up(at, history); });
           });
  add_step(migrate, context, options, "down",
           "Reverts the last one; refused while rows would be lost that are not sent",
           [](const Context& at, const MigrateOptions& with) {
             return with_history(at, with,
                                 [&](const History& history) { return down(at, history, with.force); });
           })
      .add_flag("--force", options->force, "Revert even if unsent rows are lost");
  add_step(migrate, context, options, "status", "Shows what is applied, pending or changed",
           [](const Context& at, const MigrateOptions& with) {
             return with_history(at, with, [&](const History& history) { return status(at, history); });
           });
  auto printing =
      add_step(migrate, context, options, "print", "Prints the SQL, for your own migration tool", print);
  std::vector<std::string> dialects;
  for (const StoreAdapter& adapter : context.wiring.adapters.stores) dialects.emplace_back(adapter.name);
  printing.add_option("--dialect", options->dialect, "Of which database (default: that of --db)")
      .one_of(dialects);
  printing.add_flag("--down", options->down, "What reverts instead of what applies");
}

}  // namespace outbox::cli
