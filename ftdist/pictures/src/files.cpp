#include "files.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

namespace ftdist::pictures {

namespace {

constexpr size_t kFirstBytes = 64 << 10;

// Reads on until there are so many bytes; false where the file ends before.
bool read_to(int file, size_t size, std::string& content) {
  size_t there = content.size();
  content.resize(size);
  while (there < size) {
    const ssize_t count = read(file, content.data() + there, size - there);
    if (count < 0 && errno == EINTR) continue;
    if (count <= 0) return false;
    there += static_cast<size_t>(count);
  }
  return true;
}

bool read_open(int file, const std::string& beginning, size_t most, std::string& content) {
  struct stat about;
  if (fstat(file, &about) != 0 || !S_ISREG(about.st_mode)) return false;
  const auto size = static_cast<size_t>(about.st_size);
  if (size > most || !read_to(file, std::min(size, kFirstBytes), content)) return false;
  return content.compare(0, beginning.size(), beginning) == 0 && read_to(file, size, content);
}

}  // namespace

bool read_small(const char* path, const std::string& beginning, size_t most, std::string& content) {
  const int file = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  if (file < 0) return false;
  const bool found = read_open(file, beginning, most, content);
  close(file);
  return found;
}

}  // namespace ftdist::pictures
