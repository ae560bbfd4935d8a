#include "adapters/stores/postgresql/log_queries.h"

namespace outbox::postgresql {

std::string marks_of(const std::string& mark_table, const std::string& route) {
  return "SELECT CASE WHEN same.here THEN k.seen ELSE '1:1:'::pg_snapshot END AS seen, CASE WHEN same.here "
         "THEN "
         "k.upto END AS upto, k.seq, k.topics FROM " +
         mark_table +
         " k CROSS JOIN LATERAL (SELECT k.system_identifier = c.system_identifier AS here FROM "
         "pg_control_system() "
         "c) same WHERE k.route = " +
         route + " UNION ALL SELECT '1:1:'::pg_snapshot, NULL, 0, ARRAY['%'] WHERE NOT EXISTS (SELECT FROM " +
         mark_table + " WHERE route = " + route + ")";
}

std::string has_passed(const std::string& mark, const std::string& row) {
  return "(pg_visible_in_snapshot(" + row + ".tx, " + mark + ".seen) OR coalesce(" + row + ".seq <= " + mark +
         ".seq AND pg_visible_in_snapshot(" + row + ".tx, " + mark + ".upto), false))";
}

std::string pending_rows(const std::string& outbox, const std::string& columns) {
  // what the slowest mark knew of transactions, the others knew as well
  const std::string known = "(SELECT pg_snapshot_xmax(m.seen) AS number FROM m ORDER BY number LIMIT 1)";
  const std::string select = "SELECT " + columns + " FROM " + outbox + " o WHERE ";
  const std::string not_passed = " AND EXISTS (SELECT FROM m WHERE NOT " + has_passed("m", "o") + ")";
  return select + "o.tx >= " + known + not_passed + " UNION ALL " + select +
         "o.tx = ANY (ARRAY(SELECT DISTINCT x FROM m, pg_snapshot_xip(m.seen) x WHERE x < " + known +
         " AND pg_visible_in_snapshot(x, pg_current_snapshot())))" + not_passed;
}

std::string rfc_3339(const std::string& column) {
  return "to_char(" + column + ", 'YYYY-MM-DD\"T\"HH24:MI:SS.MS\"Z\"')";
}

}  // namespace outbox::postgresql
