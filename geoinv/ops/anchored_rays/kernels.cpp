// The kernels, for this processor.
#include <cstdint>
#include <cstring>
#include <initializer_list>

#if defined(__AVX512F__)
#define GEOINV_LANES 16
#else
#define GEOINV_LANES 8  // AVX2; a compiler splits the vectors for narrower machines
#endif
#include "film_change.h"
#include "march.h"
#include "two_pass.h"
