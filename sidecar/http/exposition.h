// Writes Prometheus text format 0.0.4. https://prometheus.io/docs/instrumenting/exposition_formats/
#pragma once

#include <concepts>
#include <initializer_list>
#include <string>
#include <string_view>
#include <utility>

#include "core/status.h"

namespace outbox {

using Labels = std::initializer_list<std::pair<std::string_view, std::string_view>>;

class Exposition {
 public:
  /// Begins a family: the samples that follow are its own. `type`: counter, gauge or histogram.
  void family(std::string_view name, std::string_view type, std::string_view help);

  void sample(Labels labels, double value);
  template <std::integral Number>
  void sample(Labels labels, Number value) {
    line("", labels, {}, std::to_string(value));
  }

  /// Buckets, sum and count, cumulated.
  void histogram(Labels labels, const Histogram& histogram);

  [[nodiscard]] std::string take() { return std::move(text_); }

 private:
  void line(std::string_view suffix, Labels labels, std::string_view bound, std::string_view value);

  std::string text_;
  std::string name_;
};

}  // namespace outbox
