/*
 * Makes the syncs of a program fail or hang while it runs (by LD_PRELOAD).
 *
 * What happens stands in the file that BAD_DISK_FILE names and is read at every
 * sync of a file whose path contains BAD_DISK_PATH: "fails" gives EIO, "hangs"
 * waits as long as the file says so, everything else is let through.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { LOOK_AGAIN_US = 5000 };

static int is_meant(int fd) {
  char link[64], path[4096];
  const char *part = getenv("BAD_DISK_PATH");
  snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
  ssize_t size = readlink(link, path, sizeof path - 1);
  if (size < 0 || !part) return 0;
  path[size] = 0;
  return strstr(path, part) != NULL;
}

/* The first letter of what the file says. */
static char said(void) {
  const char *path = getenv("BAD_DISK_FILE");
  char letter = 0;
  int file = path ? open(path, O_RDONLY | O_CLOEXEC) : -1;
  if (file < 0) return 0;
  if (read(file, &letter, 1) != 1) letter = 0;
  close(file);
  return letter;
}

static int sync_by(const char *name, int fd) {
  if (is_meant(fd)) {
    while (said() == 'h') usleep(LOOK_AGAIN_US);
    if (said() == 'f') {
      errno = EIO;
      return -1;
    }
  }
  return ((int (*)(int))dlsym(RTLD_NEXT, name))(fd);
}

int fsync(int fd) { return sync_by("fsync", fd); }
int fdatasync(int fd) { return sync_by("fdatasync", fd); }
