#include "tests/support/fetched.h"

#include <filesystem>
#include <stdexcept>

#include "tests/support/process.h"

namespace outbox::test {

std::string fetched() {
  const Finished finished =
      run({"/bin/sh", "-c", OUTBOX_SOURCE_DIR "/scripts/sdks"}, {}, std::chrono::minutes(3));
  if (finished.exit_code != 0) throw std::runtime_error(finished.output);
  const std::string path = finished.output.substr(0, finished.output.find_last_not_of('\n') + 1);
  return path.substr(path.find_last_of('\n') + 1);
}

std::vector<std::string> compiled_java(const std::string& file, const std::string& directory) {
  std::string compiler, path = directory;
  for (const auto& entry : std::filesystem::directory_iterator(fetched() + "/drivers")) {
    path += ":" + entry.path().string();
    if (entry.path().filename().string().starts_with("ecj-")) compiler = entry.path();
  }
  const Finished finished =
      run({"java", "-jar", compiler, "-17", "-nowarn", "-cp", path, "-d", directory, file});
  if (finished.exit_code != 0) throw std::runtime_error(finished.output);
  return {"java", "-cp", path, std::filesystem::path(file).stem()};
}

}  // namespace outbox::test
