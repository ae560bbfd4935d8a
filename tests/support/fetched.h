// What scripts/sdks fetches: Node, and drivers of services in Node and Java. Any thread.
#pragma once

#include <string>
#include <vector>

namespace outbox::test {

/// Where it is; fetched first when it is not. Throws when it cannot be had.
std::string fetched();

/// Compiles a file of Java into a directory; answers how to run it. Throws with the compiler's words.
std::vector<std::string> compiled_java(const std::string& file, const std::string& directory);

}  // namespace outbox::test
