// Two-pass rendering of packets of rays. Both passes go from front to back in waves: each ray names its next few
// samples that are worth decoding, those of all rays are decoded together, and rays that see nothing more end. Colours
// come last, for the samples that count. What is decoded is a Field's affair, of this or another operation:
//
//   x, y, z                                    of a wave's samples in world units, [kWaveSamples], to be set
//   units                                      hidden units of a sample
//   row                                        floats that are kept of a decoded sample: the units, then its own
//   columns, features                          floats in a row of colours, and how many of them count
//   decode(count, rows, raw)                   the first `count` samples: rows [count, row], raw densities [count]
//   color(rows, count, colors)                 rows [count, row], units as colours read them -> colours [count, columns]
#pragma once

#include "../film_units.h"
#include "../products.h"
#include "../scratch.h"
#include "wave_task.h"

namespace geoinv {
namespace {

constexpr int64_t kWaveSamples = 64;  // of all rays of a packet, each of which has as many
constexpr float kUnbounded = 1e30f;  // half of it and half of -3e38, an empty cell's, are still below all limits

// One ray with its samples in ascending order; arrays are read in whole vectors, past `count`.
struct RayLine {
  const float* origin;
  const float* direction;
  float* t;             // [count]
  float* raw;           // [count], once decoded
  int32_t* slot;        // [count] row of the packet's kept ones, once decoded
  float* weight;        // [count] of the interval after each sample; the last is 0
  uint64_t* to_decode;  // [words] bits of samples beside a visible interval that are not decoded yet
  uint64_t* visible;    // [words] bits of intervals in which something may be seen
  int64_t count;
  int64_t next_interval;  // the first that is not weighed
  float transmittance;    // of what is in front of it
  bool is_live;
};

constexpr int64_t kWord = 64;  // bits

GEOINV_INLINE int64_t words_of(int64_t count) { return (count + kWord - 1) / kWord; }

// The first of `count` bits from `from` on that is set, or `count`.
GEOINV_INLINE int64_t next_bit(const uint64_t* words, int64_t from, int64_t count) {
  if (from >= count) return count;
  int64_t word = from / kWord;
  uint64_t bits = words[word] >> (from % kWord) << (from % kWord);
  while (!bits) {
    if (++word == words_of(count)) return count;
    bits = words[word];
  }
  return word * kWord + __builtin_ctzll(bits);
}

struct Packet {
  float* kept;       // [rays * samples, row], in the order of decoding
  int64_t used;      // rows
  float* fresh_raw;  // [kWaveSamples + 16] of a wave
  float* bound;      // [samples + 16] more than which raw density is not at the samples of a line
  float *first_raw, *second_raw, *length;  // [rays * samples + 16] intervals that a wave has made known
  float* intervals_alpha;
  int32_t* interval;  // their numbers in their lines
  float* chosen;      // [kWaveSamples, row] those that get colours
  float* colors;      // [kWaveSamples, columns]
  float* seen;        // [rays, columns]
  float *quantile, *first, *step;  // [coarse_samples + 16] of the second pass, see merge_line
  int32_t* before;
  float* rows;       // of the lines below
  RayLine coarse[kMostPacketRays], merged[kMostPacketRays];
  float* sample_raw[kWaveSamples];  // where the raw density of a wave's sample belongs
  float* sample_ray[kWaveSamples];  // where the features of a chosen sample's ray are summed
  float sample_share[kWaveSamples];
};

GEOINV_INLINE int64_t samples_of(const WaveTask& task) { return task.coarse_samples + task.fine_samples; }

// Floats of an array of a line's samples.
GEOINV_INLINE int64_t line_size(const WaveTask& task) { return rounded_up(samples_of(task) + 16, 16); }

GEOINV_INLINE int64_t packet_scratch(const WaveTask& task, int64_t row, int64_t columns) {
  const int64_t in_packet = task.packet_rays * samples_of(task);
  const int64_t lines = 2 * task.packet_rays * (4 * line_size(task) + 2 * rounded_up(2 * words_of(samples_of(task)), 16));
  return (in_packet + kWaveSamples) * row + 5 * (in_packet + 16) + (kWaveSamples + task.packet_rays) * columns +
         4 * (task.coarse_samples + 16) + line_size(task) + lines + 16 * 32;
}

GEOINV_INLINE void set_line(RayLine& line, float*& scratch, const WaveTask& task, const float* origin,
                            const float* direction, int64_t count) {
  const int64_t size = line_size(task), words = 2 * words_of(samples_of(task));
  line.origin = origin, line.direction = direction, line.count = count;
  line.t = take(scratch, size), line.raw = take(scratch, size), line.weight = take(scratch, size);
  line.slot = reinterpret_cast<int32_t*>(take(scratch, size));
  line.to_decode = reinterpret_cast<uint64_t*>(take(scratch, words));
  line.visible = reinterpret_cast<uint64_t*>(take(scratch, words));
  for (int64_t i = 0; i < size; i += kLanes) store(line.weight + i, Vec{});
  line.transmittance = 1.0f, line.next_interval = 0;
}

template <class Field>
GEOINV_INLINE void set_packet(Packet& packet, const WaveTask& task, const Field& field, float* scratch) {
  const int64_t intervals = task.packet_rays * samples_of(task) + 16, coarse = task.coarse_samples + 16;
  packet.kept = take(scratch, task.packet_rays * samples_of(task) * field.row);
  packet.used = 0;
  packet.fresh_raw = take(scratch, kWaveSamples + 16);
  packet.bound = take(scratch, line_size(task));
  packet.first_raw = take(scratch, intervals), packet.second_raw = take(scratch, intervals);
  packet.length = take(scratch, intervals), packet.intervals_alpha = take(scratch, intervals);
  packet.interval = reinterpret_cast<int32_t*>(take(scratch, intervals));
  packet.chosen = take(scratch, kWaveSamples * field.row);
  packet.colors = take(scratch, kWaveSamples * field.columns);
  packet.seen = take(scratch, task.packet_rays * field.columns);
  packet.quantile = take(scratch, coarse), packet.first = take(scratch, coarse), packet.step = take(scratch, coarse);
  packet.before = reinterpret_cast<int32_t*>(take(scratch, coarse));
  packet.rows = scratch;
}

// bound [count]: more than which raw density is not at distances t of a ray.
GEOINV_INLINE void find_bounds(const WaveTask& task, const float* bounds, const RayLine& line, const float* t,
                               int64_t count, float* bound) {
  const float scale = static_cast<float>(task.cells) / task.box_side, half = 0.5f * static_cast<float>(task.cells);
  const float end = static_cast<float>(task.cells);
  const float *o = line.origin, *d = line.direction;
  for (int64_t i = 0; i < count; i += kLanes) {
    if (!bounds) {
      store(bound + i, Vec{} + kUnbounded);
      continue;
    }
    const Vec at = load(t + i);
    Vec x = (o[0] + d[0] * at) * scale + half, y = (o[1] + d[1] * at) * scale + half;
    Vec z = (o[2] + d[2] * at) * scale + half;
    const auto inside = (x >= 0.0f) & (y >= 0.0f) & (z >= 0.0f) & (x < end) & (y < end) & (z < end);
    x = inside ? x : Vec{}, y = inside ? y : Vec{}, z = inside ? z : Vec{};
    const IntVec row = converted<IntVec>(z) * task.cells + converted<IntVec>(y);
    const IntVec cell = row * task.cells + converted<IntVec>(x);
    int32_t cells[kLanes];
    store(cells, cell);
    for (int lane = 0; lane < kLanes; ++lane) bound[i + lane] = bounds[cells[lane]];
    store(bound + i, inside ? load(bound + i) : Vec{} + kUnbounded);
  }
}

// Whether nothing can be seen next to `count` samples with these bounds, whatever lies beside them.
GEOINV_INLINE bool is_empty(const WaveTask& task, const float* bound, int64_t count) {
  IntVec seen = {};
  for (int64_t i = 0; i < count; i += kLanes)
    seen |= (load(bound + i) > task.empty_raw) & (lane_numbers() < static_cast<int32_t>(count - i));
  return !bits_of(seen);
}

// Which samples are to be decoded, and which intervals to be weighed: those where something may be seen.
// line.to_decode: bits of the samples that are decoded already.
GEOINV_INLINE void plan_line(const WaveTask& task, const float* bound, RayLine& line) {
  uint64_t before = 0, any = 0;  // whether the last interval of the word before is visible
  for (int64_t word = 0; word < words_of(line.count); ++word) {
    const int64_t begin = word * kWord, left = line.count - 1 - begin;  // intervals
    uint64_t visible = 0;
    for (int64_t i = 0; i < kWord && i < left; i += kLanes) {
      const Vec mean = load(bound + begin + i) * 0.5f + load(bound + begin + i + 1) * 0.5f;
      visible |= static_cast<uint64_t>(bits_of(mean > task.empty_raw)) << i;
    }
    if (left < kWord) visible &= (uint64_t{1} << left) - 1;
    line.visible[word] = visible, any |= visible;
    line.to_decode[word] = (visible | visible << 1 | before) & ~line.to_decode[word];
    before = visible >> (kWord - 1);
  }
  line.is_live = any != 0;
}

// Takes the next samples of each ray, as many of each, and decodes them all.
template <class Field>
GEOINV_INLINE void decode_wave(const WaveTask& task, Packet& packet, const Field& field, RayLine* lines,
                               int64_t rays) {
  int64_t named = 0;
  for (int64_t i = 0; i < rays; ++i) {
    RayLine& line = lines[i];
    if (!line.is_live) continue;
    int64_t left = kWaveSamples / task.packet_rays;
    for (int64_t word = line.next_interval / kWord; left && word < words_of(line.count); ++word) {
      uint64_t bits = line.to_decode[word];
      for (; bits && left; bits &= bits - 1, --left, ++named) {
        const int64_t at = word * kWord + __builtin_ctzll(bits);
        const float t = line.t[at];
        field.x[named] = line.origin[0] + line.direction[0] * t;
        field.y[named] = line.origin[1] + line.direction[1] * t;
        field.z[named] = line.origin[2] + line.direction[2] * t;
        line.slot[at] = static_cast<int32_t>(packet.used + named);
        packet.sample_raw[named] = line.raw + at;
      }
      line.to_decode[word] = bits;
    }
  }
  if (!named) return;
  field.decode(named, packet.kept + packet.used * field.row, packet.fresh_raw);
  for (int64_t i = 0; i < named; ++i) *packet.sample_raw[i] = packet.fresh_raw[i];
  packet.used += named;
}

// Appends the intervals of a line that are known and not weighed; returns how many there are now.
GEOINV_INLINE int64_t note_intervals(Packet& packet, const RayLine& line, int64_t noted) {
  const int64_t unknown = next_bit(line.to_decode, line.next_interval, line.count);  // the first sample that is
  const int64_t end = unknown < line.count ? unknown - 1 : line.count;
  for (int64_t i = next_bit(line.visible, line.next_interval, line.count); i < end;
       i = next_bit(line.visible, i + 1, line.count), ++noted) {
    packet.interval[noted] = static_cast<int32_t>(i);
    packet.first_raw[noted] = line.raw[i], packet.second_raw[noted] = line.raw[i + 1];
    packet.length[noted] = line.t[i + 1] - line.t[i];
  }
  return noted;
}

// Weights of intervals that were noted, from `first` to `end`, given their opacity.
GEOINV_INLINE void weigh_intervals(const WaveTask& task, const Packet& packet, RayLine& line, int64_t first,
                                   int64_t end) {
  float transmittance = line.transmittance;
  for (int64_t k = first; k < end && transmittance >= task.min_transmittance; ++k) {
    const float alpha = packet.intervals_alpha[k];
    line.weight[packet.interval[k]] = alpha * transmittance;
    transmittance = transmittance_after(transmittance, alpha);
    line.next_interval = packet.interval[k] + 1;
  }
  line.transmittance = transmittance;
  line.is_live = transmittance >= task.min_transmittance &&
                 next_bit(line.visible, line.next_interval, line.count) < line.count;
}

// All waves of one pass: weights of the intervals of each line, which are planned.
template <class Field>
static void see_lines(const WaveTask& task, Packet& packet, const Field& field, RayLine* lines, int64_t rays) {
  bool has_more = false;
  for (int64_t i = 0; i < rays; ++i) has_more |= lines[i].is_live;
  while (has_more) {
    decode_wave(task, packet, field, lines, rays);
    int64_t noted = 0, first[kMostPacketRays + 1];
    for (int64_t i = 0; i < rays; ++i) {
      first[i] = noted;
      if (lines[i].is_live) noted = note_intervals(packet, lines[i], noted);
    }
    first[rays] = noted;
    for (int64_t i = 0; i < noted; i += kLanes)
      store(packet.intervals_alpha + i, interval_alpha(load(packet.first_raw + i), load(packet.second_raw + i),
                                                       load(packet.length + i)));
    has_more = false;
    for (int64_t i = 0; i < rays; ++i) {
      if (lines[i].is_live) weigh_intervals(task, packet, lines[i], first[i], first[i + 1]);
      has_more |= lines[i].is_live;
    }
  }
}

// Samples of both passes in one ascending line; what the first pass decoded is kept. Between the midpoints about coarse
// sample b + 1 lie those of the quantiles 0.5, 1.5, ... of the second pass that are in bin b of importance, half of the
// bin before it and half behind: so everything has its place without a search.
GEOINV_INLINE void merge_line(const WaveTask& task, Packet& packet, const RayLine& coarse, RayLine& merged) {
  const int64_t bins = task.coarse_samples - 3, fine = task.fine_samples;
  Vec sums = {};
  for (int64_t b = 0; b < bins; b += kLanes) {
    const Vec importance =
        importance_between(load(coarse.weight + b), load(coarse.weight + b + 1), load(coarse.weight + b + 2));
    store(packet.step + b, importance);
    sums += lane_numbers() < static_cast<int32_t>(bins - b) ? importance : Vec{};
  }
  const float scale = static_cast<float>(fine) / sum_of(sums);
  float quantile = 0.0f;
  for (int64_t b = 0; b < bins; ++b) {  // where each bin begins, in quantiles
    packet.quantile[b] = quantile;
    quantile += packet.step[b] * scale;
  }
  packet.quantile[bins] = static_cast<float>(fine);
  for (int64_t b = 0; b < bins; b += kLanes) {
    const Vec low = load(packet.quantile + b), high = load(packet.quantile + b + 1);
    const Vec left = load(coarse.t + b), middle = load(coarse.t + b + 1), right = load(coarse.t + b + 2);
    const Vec step = (right - left) * 0.5f / (high - low);
    store(packet.step + b, step), store(packet.first + b, (left + middle) * 0.5f + (0.5f - low) * step);
    Vec before = (low + high) * 0.5f + 0.5f;  // of which so many whole ones are before the coarse sample
    before = before > 0.0f ? before : Vec{};  // and where it is not a number
    store(packet.before + b, converted<IntVec>(before));
  }
  const int64_t words = words_of(merged.count);
  for (int64_t word = 0; word < words; ++word) merged.to_decode[word] = 0;
  auto keep = [&](int64_t from, int64_t at) {
    merged.t[at] = coarse.t[from], merged.raw[at] = coarse.raw[from], merged.slot[at] = coarse.slot[from];
    merged.to_decode[at / kWord] |= static_cast<uint64_t>(coarse.slot[from] >= 0) << (at % kWord);
  };
  keep(0, 0);
  int64_t k = 0;  // quantiles that have their place
  for (int64_t b = 0; b < bins; ++b) {
    const float end_quantile = packet.quantile[b + 1] + 0.5f;
    int64_t end = b + 1 == bins ? fine : end_quantile > 0.0f ? static_cast<int64_t>(end_quantile) : 0;
    end = end < k ? k : end > fine ? fine : end;
    int64_t middle = packet.before[b];
    middle = middle < k ? k : middle > end ? end : middle;
    const float t = coarse.t[b + 1];
    float* const to = merged.t + b + 1;
    for (int64_t i = k; i <= end; i += kLanes) {  // places of quantiles, and of the coarse sample at `middle`
      const IntVec number = lane_numbers() + static_cast<int32_t>(i);
      const IntVec is_behind = number > static_cast<int32_t>(middle);
      const Vec at = converted<Vec>(number + is_behind) * packet.step[b] + packet.first[b];
      store(to + i, is_behind ? (at > t ? at : Vec{} + t) : (at < t ? at : Vec{} + t));
    }
    keep(b + 1, b + 1 + middle);
    k = end;
  }
  keep(task.coarse_samples - 2, task.coarse_samples - 2 + fine);
  keep(task.coarse_samples - 1, task.coarse_samples - 1 + fine);
  store(merged.t + merged.count, Vec{});
}

// Whether a ray whose first pass had nothing to see has nothing in the second, either, whose samples then are even.
GEOINV_INLINE bool stays_empty(const WaveTask& task, const Packet& packet, const RayLine& line, const float* bounds) {
  const int64_t last = task.coarse_samples - 2, fine = task.fine_samples;
  const float begin = 0.5f * (line.t[0] + line.t[1]), end = 0.5f * (line.t[last - 1] + line.t[last]);
  const float step = (end - begin) / static_cast<float>(fine);
  float* const t = packet.first_raw;
  for (int64_t i = 0; i < fine; i += kLanes)
    store(t + i, converted<Vec>(lane_numbers() + static_cast<int32_t>(i)) * step + (begin + 0.5f * step));
  find_bounds(task, bounds, line, t, fine, packet.bound);
  return is_empty(task, packet.bound, fine);
}

// Adds the colours of the first `count` chosen samples to their rays.
template <class Field>
static void add_colors(Packet& packet, const Field& field, int64_t count) {
  const int64_t columns = field.columns;
  field.color(packet.chosen, count, packet.colors);
  for (int64_t i = 0; i < count; ++i)
    for (int64_t c = 0; c < columns; c += kLanes)
      store(packet.sample_ray[i] + c,
            load(packet.sample_ray[i] + c) + load(packet.colors + i * columns + c) * packet.sample_share[i]);
}

// packet.seen: colours of the samples that count, summed along each line; `film` is of the first line, or null. Colours
// keep within their range whatever a film does, so what the others lack keeps its bound.
template <class Field>
static void color_lines(const WaveTask& task, Packet& packet, const Field& field, const RayLine* lines, int64_t rays,
                        const float* film) {
  int64_t count = 0;
  for (int64_t i = 0; i < rays * field.columns; ++i) packet.seen[i] = 0.0f;
  for (int64_t i = 0; i < rays; ++i) {
    const RayLine& line = lines[i];
    for (int64_t interval = next_bit(line.visible, 0, line.count), next = 0; interval < line.next_interval;
         interval = next_bit(line.visible, interval + 1, line.count)) {
      for (int64_t s = interval < next ? next : interval; s <= interval + 1; next = ++s) {
        const float share = 0.5f * ((s ? line.weight[s - 1] : 0.0f) + line.weight[s]);
        if (!(share > task.least_share)) continue;
        const float* row = packet.kept + line.slot[s] * field.row;
        float* chosen = packet.chosen + count * field.row;
        if (film) modulate_hidden(row, 1, film + i * 2 * field.units, field.units, chosen);
        for (int64_t h = film ? field.units : 0; h < field.row; h += kLanes) store(chosen + h, load(row + h));
        packet.sample_ray[count] = packet.seen + i * field.columns, packet.sample_share[count++] = share;
        if (count == kWaveSamples) add_colors(packet, field, count), count = 0;
      }
    }
  }
  add_colors(packet, field, count);
}

// Alpha and mean distance of a line whose weights are known.
GEOINV_INLINE void sum_line(const RayLine& line, float& alpha, float& distance) {
  Vec totals = {}, sums = {};
  for (int64_t s = 0; s + 1 < line.count; s += kLanes) {
    const Vec weight = load(line.weight + s);
    totals += weight, sums += weight * 0.5f * (load(line.t + s) + load(line.t + s + 1));
  }
  const float total = sum_of(totals), sum = sum_of(sums);
  const float first = line.t[0], last = line.t[line.count - 1];
  alpha = total;
  distance = total > kHitAlpha ? sum / total : last;
  distance = distance < first ? first : distance > last ? last : distance;
}

// Rays of packet `index` of a head through its field.
template <class Field>
static void render_waves(const WaveTask& task, const Field& field, int64_t head, int64_t index, float* scratch) {
  Packet packet;
  set_packet(packet, task, field, scratch);
  const int64_t begin = index * task.packet_rays, features = field.features;
  const int64_t rays = task.rays - begin < task.packet_rays ? task.rays - begin : task.packet_rays;
  const int64_t first_ray = head * task.rays + begin, cells = task.cells;
  const float* bounds = task.bounds ? task.bounds + head * cells * cells * cells : nullptr;
  float* rows = packet.rows;
  bool is_done[kMostPacketRays] = {};
  for (int64_t i = 0; i < rays; ++i) {
    RayLine& line = packet.coarse[i];
    set_line(line, rows, task, task.origins + (first_ray + i) * 3, task.directions + (first_ray + i) * 3,
             task.coarse_samples);
    float near = task.near, far = task.far;
    if (task.has_box_limits) box_limits(line.origin, line.direction, task.box_side, near, far);
    for (int64_t s = 0; s < line.count; ++s) line.t[s] = even_distance(near, far, static_cast<int>(s), task.coarse_samples);
    store(line.t + line.count, Vec{});  // of no weight, but numbers
    for (int64_t s = 0; s < line.count; s += kLanes) store(line.slot + s, IntVec{} - 1);
    for (int64_t word = 0; word < words_of(line.count); ++word) line.to_decode[word] = 0;
    find_bounds(task, bounds, line, line.t, line.count, packet.bound);
    plan_line(task, packet.bound, line);
    is_done[i] = task.fine_samples && is_empty(task, packet.bound, line.count) &&
                 stays_empty(task, packet, line, bounds);
  }
  see_lines(task, packet, field, packet.coarse, rays);
  RayLine* lines = packet.coarse;
  if (task.fine_samples) {
    lines = packet.merged;
    for (int64_t i = 0; i < rays; ++i) {
      const RayLine& coarse = packet.coarse[i];
      if (is_done[i]) {
        lines[i] = coarse;
        continue;
      }
      set_line(lines[i], rows, task, coarse.origin, coarse.direction, samples_of(task));
      merge_line(task, packet, coarse, lines[i]);
      find_bounds(task, bounds, lines[i], lines[i].t, lines[i].count, packet.bound);
      plan_line(task, packet.bound, lines[i]);
    }
    see_lines(task, packet, field, lines, rays);
  }
  color_lines(task, packet, field, lines, rays, task.film ? task.film + first_ray * 2 * field.units : nullptr);
  for (int64_t i = 0; i < rays; ++i) {
    sum_line(lines[i], task.alpha[first_ray + i], task.distance[first_ray + i]);
    for (int64_t c = 0; c < features; ++c)
      task.features[(first_ray + i) * features + c] = packet.seen[i * field.columns + c];
  }
}

}  // namespace
}  // namespace geoinv
