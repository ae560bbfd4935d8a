# Every library the project uses, found once, with the Debian package named when it is missing.
find_package(PkgConfig REQUIRED)
find_package(Threads REQUIRED)

# outbox_require(NAME package): stops with the name of the package to install unless target NAME exists.
function(outbox_require target package)
  if(NOT TARGET ${target})
    message(FATAL_ERROR "${target} was not found. Install it: apt-get install ${package} "
                        "(scripts/setup installs everything that the build needs).")
  endif()
endfunction()

# outbox_pkg(VARIABLE module): an imported target PkgConfig::VARIABLE when pkg-config knows the module.
macro(outbox_pkg variable module)
  pkg_check_modules(${variable} IMPORTED_TARGET ${module})
endmacro()

find_package(nlohmann_json QUIET)
outbox_require(nlohmann_json::nlohmann_json nlohmann-json3-dev)
find_package(spdlog QUIET)
outbox_require(spdlog::spdlog libspdlog-dev)
find_package(doctest QUIET)
outbox_require(doctest::doctest doctest-dev)
find_package(CLI11 QUIET)
outbox_require(CLI11::CLI11 libcli11-dev)
find_package(tomlplusplus QUIET)
if(NOT TARGET tomlplusplus::tomlplusplus)
  outbox_pkg(TOMLPLUSPLUS tomlplusplus)
  if(TARGET PkgConfig::TOMLPLUSPLUS)
    add_library(tomlplusplus::tomlplusplus ALIAS PkgConfig::TOMLPLUSPLUS)
  endif()
endif()
outbox_require(tomlplusplus::tomlplusplus libtomlplusplus-dev)
outbox_pkg(HTTPLIB cpp-httplib)
outbox_require(PkgConfig::HTTPLIB libcpp-httplib-dev)
if(NOT OUTBOX_SANITIZE)  # sanitizers bring their own
  outbox_pkg(JEMALLOC jemalloc)
  if(NOT TARGET PkgConfig::JEMALLOC)
    message(STATUS "jemalloc was not found (libjemalloc-dev): memory comes from the C library, which is slower")
  endif()
endif()

# Adapters' libraries: an adapter whose library is missing is left out, and says so at run time.
find_package(OpenSSL 3.0 QUIET)
outbox_pkg(SQLITE sqlite3)
outbox_pkg(PQ libpq)
outbox_pkg(PQXX libpqxx)
include(Brokers)
