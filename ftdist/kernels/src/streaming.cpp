// Streamed weights are read from the model file into a window of the arena, piece by piece, rather
// than through the mapping: a page fault may map up to 2 MiB around it, and what is resident could
// then be bounded neither exactly nor below that. A file that shrinks is a short read, no signal.
#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "program.hpp"

namespace ftdist {
namespace {

bool read_floats(const Program& program, int64_t from, int64_t count, float* to) {
  char* at = reinterpret_cast<char*>(to);
  int64_t left = count * static_cast<int64_t>(sizeof(float));
  int64_t offset = from * static_cast<int64_t>(sizeof(float));
  while (left > 0) {
    const ssize_t got = pread(program.file, at, static_cast<size_t>(left), offset);
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) {
      *program.failure = got < 0 ? errno : ENODATA;
      return false;
    }
    at += got, offset += got, left -= got;
  }
  return true;
}

}  // namespace

bool read_piece(const Program& program, const Piece& piece, float* to) {
  return read_floats(program, piece.weights, piece.weight_count, to) &&
         read_floats(program, piece.bias, piece.bias_count, to + piece.weight_count);
}

void read_ahead(const Program& program, int64_t from, int64_t count) {
  const int64_t size = static_cast<int64_t>(sizeof(float));
  (void)posix_fadvise(program.file, from * size, count * size, POSIX_FADV_WILLNEED);
}

}  // namespace ftdist
