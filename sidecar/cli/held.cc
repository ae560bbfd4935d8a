#include "cli/held_filter.h"

namespace outbox::cli {

void add_held(CLI::App& app, Context& context) {
  auto* held = app.add_subcommand(
      "held", "Rows that were read and are not sent: shows them, tries them again, gives them up");
  held->require_subcommand(1);
  held->footer("Works on the database alone: no relay has to run.");
  add_held_list(*held, context);
  add_held_show(*held, context);
  add_held_requeue(*held, context);
  add_held_discard(*held, context);
}

}  // namespace outbox::cli
