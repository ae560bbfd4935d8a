// To be preloaded: the system's resolver takes a minute over every name below .slow, and then knows nothing.
#include <dlfcn.h>
#include <netdb.h>
#include <unistd.h>

#include <string_view>

extern "C" int getaddrinfo(const char* node, const char* service, const addrinfo* hints, addrinfo** found) {
  using Function = int (*)(const char*, const char*, const addrinfo*, addrinfo**);
  static const auto real = reinterpret_cast<Function>(::dlsym(RTLD_NEXT, "getaddrinfo"));
  const bool is_slow = node && std::string_view(node).ends_with(".slow");
  if (!is_slow || (hints && (hints->ai_flags & AI_NUMERICHOST) != 0))
    return real(node, service, hints, found);
  ::sleep(60);
  return EAI_AGAIN;
}
