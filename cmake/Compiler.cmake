# Flags of every target: warnings are errors, assertions stay on in what is shipped.
option(OUTBOX_WERROR "Treat warnings as errors" ON)
set(OUTBOX_SANITIZE "" CACHE STRING "Sanitizers, as in -fsanitize=")

find_program(CCACHE ccache)
if(CCACHE)
  # What was compiled in one checkout serves in every other.
  set(CMAKE_CXX_COMPILER_LAUNCHER ${CMAKE_COMMAND} -E env CCACHE_BASEDIR=${PROJECT_SOURCE_DIR} CCACHE_NOHASHDIR=1 ${CCACHE})
endif()

string(REPLACE "-DNDEBUG" "" CMAKE_CXX_FLAGS_RELEASE "${CMAKE_CXX_FLAGS_RELEASE}")
add_compile_options(-Wall -Wextra -Wpedantic -Wshadow -Wnon-virtual-dtor -Woverloaded-virtual -Wimplicit-fallthrough
                    -fno-omit-frame-pointer -fstack-protector-strong -fPIE)
if(NOT CMAKE_BUILD_TYPE STREQUAL "Release")
  # At -O1 g++ 12 believes that a variant's destructor reads the alternative that is not there. The release build looks,
  # but where it is COLD.
  add_compile_options(-Wno-maybe-uninitialized)
endif()
if(OUTBOX_WERROR)
  add_compile_options(-Werror)
endif()
if(OUTBOX_SANITIZE)
  add_compile_options(-fsanitize=${OUTBOX_SANITIZE} -fno-sanitize-recover=all)
  add_link_options(-fsanitize=${OUTBOX_SANITIZE})
elseif(CMAKE_BUILD_TYPE STREQUAL "Release")
  add_compile_options(-D_FORTIFY_SOURCE=2)
endif()
add_link_options(-pie -Wl,-z,relro,-z,now)

# outbox_library(NAME sources... [COLD] [LINK targets...]): one layer of the architecture. Includes are written from the
# project's root, so that an include names its layer. COLD: no row passes through it, so that the release build takes
# less time over it.
function(outbox_library name)
  cmake_parse_arguments(ARG "COLD" "" "LINK" ${ARGN})
  add_library(${name} STATIC ${ARG_UNPARSED_ARGUMENTS})
  target_include_directories(${name} PUBLIC ${PROJECT_SOURCE_DIR}/sidecar ${PROJECT_SOURCE_DIR})
  target_link_libraries(${name} PUBLIC ${ARG_LINK})
  if(ARG_COLD AND CMAKE_BUILD_TYPE STREQUAL "Release")
    set_target_properties(${name} PROPERTIES INTERPROCEDURAL_OPTIMIZATION OFF)
    target_compile_options(${name} PRIVATE -O1 -Wno-maybe-uninitialized)
  endif()
endfunction()
