// Points under films: a block of them is decoded once, and looked at without and with its films.
#pragma once

#include "../film_units.h"
#include "samples.h"

namespace geoinv {

int64_t film_change_scratch(const FilmChange& task) {
  const int64_t hidden = task.head.decoder.hidden;
  return samples_scratch(kFilmPoints) + kFilmPoints * (told_stride(task.head) + 2 * hidden + 2 * kOutputColumns);
}

void film_change(const FilmChange& task, int64_t head, int64_t begin, int64_t end, float* scratch) {
  const AnchoredDecoder& decoder = task.head.decoder;
  const int64_t count = end - begin, units = decoder.hidden, first = head * task.points + begin;
  const Samples samples = samples_in(scratch, kFilmPoints);
  float* told = take(scratch, kFilmPoints * told_stride(task.head));
  float *hidden = take(scratch, kFilmPoints * units), *modulated = take(scratch, kFilmPoints * units);
  float *without = take(scratch, kFilmPoints * kOutputColumns), *with = take(scratch, kFilmPoints * kOutputColumns);
  for (int64_t i = 0; i < count; ++i) {
    const float* place = task.places + (first + i) * 3;
    samples.x[i] = place[0], samples.y[i] = place[1], samples.z[i] = place[2];
  }
  tell(samples, count, task.head, head, told);
  decode_hidden(count, task.head, head, told, hidden);
  for (int64_t i = 0; i < count; ++i)
    modulate_hidden(hidden + i * units, 1, task.film + (first + i) * 2 * units, units, modulated + i * units);
  decode_outputs(count, decoder, hidden, without);
  decode_outputs(count, decoder, modulated, with);
  for (int64_t i = 0; i < count; ++i) {
    const float* anchor = samples.anchor + i * kAnchorChannels;
    const Eight change = features_of(with + i * kOutputColumns, anchor) - features_of(without + i * kOutputColumns, anchor);
    for (int c = 0; c < kFeatures; ++c) task.change[(first + i) * kFeatures + c] = change[c];
  }
}

}  // namespace geoinv
