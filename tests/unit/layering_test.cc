// The arrows of sidecar/README.md, checked against every #include of the sources: base depends on nothing,
// core on base; runtime, config, http and adapters on both; no adapter on another; nothing but the command
// line on demo and bench; each library in the one layer that hides it.
#include <algorithm>
#include <cstddef>
#include <filesystem>
#include <fstream>
#include <map>
#include <optional>
#include <regex>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include <doctest/doctest.h>

namespace {

namespace fs = std::filesystem;

constexpr std::size_t lines_max = 500;

// A layer's folder and the folders whose headers it may include beside its own; the first folder that holds a
// file is its layer. "/*": each folder below is a layer of its own. "*" alone: everything.
struct Layer {
  std::string folder;
  std::vector<std::string> may_include;
};

const std::vector<Layer>& layers() {
  static const std::vector<Layer> all = {
      {"sidecar/base", {}},
      {"sidecar/core", {"sidecar/base"}},
      {"sidecar/runtime", {"sidecar/base", "sidecar/core"}},
      {"sidecar/config", {"sidecar/base", "sidecar/core"}},
      {"sidecar/http", {"sidecar/base", "sidecar/core"}},
      {"sidecar/assembly",
       {"sidecar/base", "sidecar/core", "sidecar/config", "sidecar/runtime", "sidecar/http",
        "adapters/common"}},
      {"sidecar/bench",
       {"sidecar/base", "sidecar/core", "sidecar/config", "sidecar/runtime", "sidecar/assembly",
        "adapters/common"}},
      {"sidecar/demo", {"sidecar/base", "sidecar/core", "adapters/stores/sqlite"}},
      {"sidecar/cli", {"sidecar", "adapters/common"}},
      {"sidecar", {"*"}},
      {"adapters/common", {"sidecar/base", "sidecar/core"}},
      {"adapters/brokers/*",
       {"sidecar/base", "sidecar/core", "adapters/common", "adapters/brokers/brokers.h"}},
      {"adapters/stores/sql", {"sidecar/base", "sidecar/core", "adapters/common"}},
      {"adapters/stores/*",
       {"sidecar/base", "sidecar/core", "adapters/common", "adapters/stores/sql", "adapters/stores/stores.h",
        "schema"}},
      {"adapters", {"sidecar/base", "sidecar/core", "adapters"}},
      {"schema", {"sidecar/base", "sidecar/core"}},
      {"tests", {"*"}},
  };
  return all;
}

// A library's headers, by how they begin, and the folders (or files) that may include them. Tests may include
// any.
struct Library {
  std::string header;
  std::vector<std::string> allowed;
};

const fs::path project = OUTBOX_SOURCE_DIR;

// The library of each broker in the list: "libmosquitto" has mosquitto.h, "librdkafka" has
// librdkafka/rdkafka.h.
void add_libraries_of_brokers(std::vector<Library>& all) {
  const std::regex line("([a-z]\\w*) +(?:lib)?(\\w+).*");
  std::ifstream list(project / "adapters/brokers/brokers.list");
  for (std::string text; std::getline(list, text);) {
    std::smatch found;
    if (!std::regex_match(text, found, line)) {
      continue;
    }
    for (const char* prefix : {"", "lib"}) {
      all.push_back({prefix + found[2].str(), {"adapters/brokers/" + found[1].str()}});
    }
  }
}

std::vector<Library> make_libraries() {
  std::vector<Library> all = {
      {"spdlog/", {"sidecar/runtime"}},
      {"nlohmann/",
       {"sidecar/config", "sidecar/http", "sidecar/cli", "sidecar/demo", "adapters/common",
        "adapters/brokers/nats", "settings"}},
      {"toml++/", {"sidecar/config"}},
      {"toml.hpp", {"sidecar/config"}},
      {"httplib.h", {"sidecar/http"}},
      {"CLI/", {"sidecar/cli/parser.cc"}},
      {"pqxx/", {"adapters/stores/postgresql"}},
      {"libpq", {"adapters/stores/postgresql"}},
      {"sqlite3", {"adapters/stores/sqlite"}},
      {"amqp", {"adapters/brokers/amqp"}},
      {"doctest/", {}},
  };
  add_libraries_of_brokers(all);
  return all;
}

const std::vector<Library>& libraries() {
  static const std::vector<Library> all = make_libraries();
  return all;
}

bool is_below(std::string_view path, std::string_view folder) {
  return path == folder ||
         (path.starts_with(folder) && path.size() > folder.size() && path[folder.size()] == '/');
}

// The folder of the layer that a path belongs to: "adapters/stores/*" becomes "adapters/stores/sqlite".
std::string folder_of(std::string_view path, const Layer& layer) {
  if (!layer.folder.ends_with("/*")) {
    return is_below(path, layer.folder) ? layer.folder : "";
  }
  const std::string parent = layer.folder.substr(0, layer.folder.size() - 1);
  const std::size_t end = path.find('/', parent.size());
  return path.starts_with(parent) && end != path.npos ? std::string(path.substr(0, end)) : "";
}

bool layer_allows(std::string_view from, std::string_view to) {
  for (const Layer& layer : layers()) {
    const std::string own = folder_of(from, layer);
    if (own.empty()) {
      continue;
    }
    const auto& others = layer.may_include;
    return is_below(to, own) || std::any_of(others.begin(), others.end(), [&](const std::string& folder) {
             return folder == "*" || is_below(to, folder);
           });
  }
  return false;
}

bool library_allows(std::string_view from, std::string_view header) {
  if (is_below(from, "tests")) {
    return true;
  }
  for (const Library& library : libraries()) {
    if (header.starts_with(library.header)) {
      return std::any_of(library.allowed.begin(), library.allowed.end(), [&](const std::string& place) {
        const bool is_settings = is_below(from, "adapters") && from.find("settings.") != from.npos;
        return place == "settings" ? is_settings : is_below(from, place);
      });
    }
  }
  return true;
}

// What #include "name" in `from` means: beside the file itself, below sidecar/, or from the project's root.
std::string project_path(const fs::path& root, const fs::path& from, const std::string& name) {
  for (const fs::path& folder : {root / from.parent_path(), root / "sidecar", root}) {
    if (fs::exists(folder / name)) {
      return (folder / name).lexically_normal().lexically_relative(root).string();
    }
  }
  const std::string first = name.substr(0, name.find('/'));  // a generated file: judged by its name
  return fs::exists(root / "sidecar" / first) ? "sidecar/" + name : name;
}

struct Include {
  std::string name;
  bool is_quoted;
};

std::optional<Include> include_of(const std::string& line) {
  const std::size_t hash = line.find_first_not_of(" \t");
  if (hash == line.npos || line[hash] != '#') {
    return std::nullopt;
  }
  const std::size_t word = line.find_first_not_of(" \t", hash + 1);
  if (word == line.npos || line.compare(word, 7, "include") != 0) {
    return std::nullopt;
  }
  const std::size_t open = line.find_first_of("\"<", word + 7);
  const std::size_t close = open == line.npos ? open : line.find_first_of("\">", open + 1);
  if (close == line.npos) {
    return std::nullopt;
  }
  return Include{line.substr(open + 1, close - open - 1), line[open] == '"'};
}

// What is wrong with one line of a file, or nothing. `from` is relative to the root.
std::string fault(const fs::path& root, const std::string& from, const std::string& line) {
  const std::optional<Include> include = include_of(line);
  if (!include) {
    return "";
  }
  if (!library_allows(from, include->name)) {
    return "the library header " + include->name + " is hidden by another layer";
  }
  if (!include->is_quoted) {
    return "";
  }
  const std::string to = project_path(root, from, include->name);
  return layer_allows(from, to) ? "" : "its layer may not depend on " + to;
}

std::vector<std::string> sources(const fs::path& root) {
  static const std::vector<std::string> kinds = {".h", ".cc", ".in", ".py", ".sql", ".html"};
  std::vector<std::string> found;
  for (const char* folder : {"sidecar", "adapters", "schema", "tests"}) {
    for (const auto& entry : fs::recursive_directory_iterator(root / folder)) {
      if (entry.is_regular_file() && std::count(kinds.begin(), kinds.end(), entry.path().extension()) > 0) {
        found.push_back(entry.path().lexically_relative(root).string());
      }
    }
  }
  return found;
}

std::vector<std::string> lines_of(const fs::path& path) {
  std::ifstream file(path);
  std::vector<std::string> lines;
  for (std::string line; std::getline(file, line);) {
    lines.push_back(line);
  }
  return lines;
}

}  // namespace

TEST_CASE("no include runs against the arrows, and no file is too long") {
  const std::vector<std::string> files = sources(project);
  CHECK(files.size() > 20);
  for (const std::string& file : files) {
    const std::vector<std::string> lines = lines_of(project / file);
    CHECK_MESSAGE(lines.size() <= lines_max,
                  file << " has " << lines.size() << " lines, " << lines_max << " are allowed");
    if (file.starts_with("schema/examples/") || !(file.ends_with(".h") || file.ends_with(".cc"))) {
      continue;
    }
    for (std::size_t index = 0; index < lines.size(); ++index) {
      const std::string found = fault(project, file, lines[index]);
      CHECK_MESSAGE(found.empty(), file << ":" << index + 1 << ": " << found);
    }
  }
}

TEST_CASE("an include against the arrows is found") {
  const auto is_fault = [](const char* from, const char* line) {
    return !fault(project, from, line).empty();
  };
  CHECK(is_fault("sidecar/base/text.cc", "#include \"core/message.h\""));
  CHECK(is_fault("sidecar/base/text.cc", "#include <nlohmann/json.hpp>"));
  CHECK(is_fault("sidecar/core/relay.cc", "#include \"runtime/log.h\""));
  CHECK(is_fault("sidecar/core/relay.cc", "#include \"adapters/registry.h\""));
  CHECK(is_fault("sidecar/core/relay.cc", "  #  include <spdlog/spdlog.h>"));
  CHECK(is_fault("sidecar/runtime/driver.cc", "#include \"config/config.h\""));
  CHECK(is_fault("sidecar/runtime/driver.cc", "#include \"adapters/stores/sqlite/sqlite_store.h\""));
  CHECK(is_fault("sidecar/http/listener.cc", "#include \"runtime/log.h\""));
  CHECK(is_fault("sidecar/config/load.cc", "#include \"http/listener.h\""));
  CHECK(is_fault("sidecar/assembly/assemble.cc", "#include \"bench/bench.h\""));
  CHECK(is_fault("sidecar/assembly/run_relay.cc", "#include \"cli/subcommand.h\""));
  CHECK(is_fault("sidecar/runtime/lane.cc", "#include \"demo/demo.h\""));
  CHECK(is_fault("sidecar/bench/drain.cc", "#include \"cli/subcommand.h\""));
  CHECK(is_fault("sidecar/demo/demo.cc", "#include \"bench/bench.h\""));
  CHECK(is_fault("adapters/stores/sqlite/sqlite_store.cc", "#include \"demo/database.h\""));
  CHECK(is_fault("adapters/stores/sqlite/sqlite_store.cc",
                 "#include \"adapters/stores/postgresql/postgresql_store.h\""));
  CHECK(
      is_fault("adapters/stores/sqlite/sqlite_store.cc", "#include \"adapters/brokers/file/file_broker.h\""));
  CHECK(is_fault("adapters/common/owner.cc", "#include \"adapters/brokers/file/file_broker.h\""));
  CHECK(is_fault("adapters/brokers/redis/redis_broker.cc", "#include <nlohmann/json.hpp>"));
  CHECK(is_fault("adapters/brokers/file/file_broker.cc", "#include <hiredis/hiredis.h>"));
  CHECK(is_fault("adapters/brokers/file/file_broker.cc", "#include <librdkafka/rdkafka.h>"));
  CHECK(is_fault("sidecar/cli/demo.cc", "#include <libpq-fe.h>"));
  CHECK(is_fault("sidecar/cli/subcommand.h", "#include <CLI/CLI.hpp>"));
}

TEST_CASE("an include along the arrows is allowed") {
  const auto is_allowed = [](const char* from, const char* line) {
    return fault(project, from, line).empty();
  };
  CHECK(is_allowed("sidecar/core/url.cc", "#include \"core/url.h\""));
  CHECK(is_allowed("sidecar/core/url.cc", "#include \"base/text.h\""));
  CHECK(is_allowed("sidecar/runtime/log.cc", "#include <spdlog/spdlog.h>"));
  CHECK(is_allowed("sidecar/cli/demo.cc", "#include \"demo/demo.h\""));
  CHECK(is_allowed("sidecar/cli/parser.cc", "#include <CLI/CLI.hpp>"));
  CHECK(is_allowed("sidecar/bench/drain.cc", "#include \"assembly/assemble.h\""));
  CHECK(is_allowed("sidecar/main.cc", "#include \"cli/commands.h\""));
  CHECK(is_allowed("adapters/registry.cc", "#include \"adapters/stores/stores.h\""));
  CHECK(is_allowed("adapters/stores/sqlite/sqlite_store.cc", "#include \"adapters/common/owner.h\""));
  CHECK(is_allowed("adapters/brokers/redis/redis_settings.cc", "#include <nlohmann/json.hpp>"));
  CHECK(is_allowed("tests/e2e/run_test.cc", "#include \"adapters/stores/sqlite/sqlite_store.h\""));
  CHECK(is_allowed("sidecar/core/url.cc", "// #include \"runtime/log.h\""));
}

// What reads it elsewhere would have to think of its depth again.
TEST_CASE("JSON that is not ours is read in one place") {
  const std::regex reads("json::(?:sax_)?parse\\(", std::regex::icase);
  const std::set<std::string> bounded = {"sidecar/base/json_text.h", "sidecar/config/json_document.cc",
                                         "sidecar/http/operator_request.cc"};
  for (const std::string& file : sources(project)) {
    if (file.starts_with("tests/") || !file.ends_with(".cc") || bounded.contains(file)) continue;
    for (const std::string& line : lines_of(project / file))
      CHECK_MESSAGE(!std::regex_search(line, reads), file << ": use read_json (base/json_text.h): " << line);
  }
}

// Adapters do not see each other's headers, so nothing else tells when two of them give different types one
// name; the program's behaviour would be undefined.
TEST_CASE("no two headers define types of one name in one namespace") {
  const std::regex space("namespace ([a-z:_]+) \\{"),
      type("(?:class|struct|enum class) ([A-Z]\\w+)(?: final)?(?: :.*)? \\{.*");
  std::map<std::string, std::string> defined_in;
  for (const std::string& file : sources(project)) {
    if (!file.ends_with(".h") || file.starts_with("tests/")) {
      continue;
    }
    std::string inside;
    std::smatch found;
    for (const std::string& line : lines_of(project / file)) {
      if (std::regex_match(line, found, space)) {
        inside = found[1];
      } else if (std::regex_match(line, found, type)) {
        const auto [place, is_new] = defined_in.emplace(inside + "::" + found[1].str(), file);
        CHECK_MESSAGE(is_new, place->first << " is defined in " << place->second << " and in " << file);
      }
    }
  }
  CHECK(defined_in.size() > 100);
}
