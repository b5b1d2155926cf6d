/*
 * Two small tools for virtual network links, compiled when a test needs them.
 *
 *   links plain IF...      switches checksum and segmentation offload off, so
 *                          that every frame on the link is whole and its sums are true
 *   links relay IF IF ...  carries frames between two links, late, twice, out of
 *                          order or not at all, as a seed decides
 *
 * The relay draws its chances frame by frame from one generator: what happens
 * to the n-th frame is fixed by the seed. It ends when its standard input
 * closes, hence with whoever started it, and then prints what it did.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <linux/ethtool.h>
#include <linux/if_packet.h>
#include <linux/sockios.h>
#include <net/ethernet.h>
#include <net/if.h>
#include <poll.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { FRAME_MAX = 65536, HELD_MAX = 20000 };

static void stop(const char *what) {
  fprintf(stderr, "links: %s: %s\n", what, strerror(errno));
  exit(1);
}

/* ------------------------------------------------------------------ plain */

static int set_off(int fd, const char *name, uint32_t what) {
  struct ethtool_value value = {.cmd = what, .data = 0};
  struct ifreq request;
  memset(&request, 0, sizeof request);
  snprintf(request.ifr_name, sizeof request.ifr_name, "%s", name);
  request.ifr_data = (char *)&value;
  return ioctl(fd, SIOCETHTOOL, &request);
}

static int plain(int count, char **names) {
  int fd = socket(AF_INET, SOCK_DGRAM, 0);
  if (fd < 0) stop("socket");
  for (int n = 0; n < count; n++) {
    /* Sums and segments matter; what a kernel does not know of the rest is no loss. */
    if (set_off(fd, names[n], ETHTOOL_STXCSUM) < 0) stop(names[n]);
    if (set_off(fd, names[n], ETHTOOL_STSO) < 0 && errno != EOPNOTSUPP) stop(names[n]);
    if (set_off(fd, names[n], ETHTOOL_SGSO) < 0) stop(names[n]);
    if (set_off(fd, names[n], ETHTOOL_SGRO) < 0) stop(names[n]);
    set_off(fd, names[n], ETHTOOL_SRXCSUM);
    set_off(fd, names[n], ETHTOOL_SSG);
  }
  return 0;
}

/* ------------------------------------------------------------------ relay */

struct asked {
  uint64_t seed;
  long delay_us, jitter_us, reorder_us, loss, duplicate, reorder; /* chances in thousandths */
};
struct frame {
  uint64_t due_ns, order;
  int side, size;
  unsigned char *bytes;
};
struct count {
  unsigned long taken, sent, lost, doubled, held_back, overtaken, refused;
  uint64_t newest;
};

static struct frame held[HELD_MAX];
static int held_count;
static struct count counts[2];
static uint64_t state;

static uint64_t chance(void) { /* splitmix64 */
  uint64_t z = (state += 0x9e3779b97f4a7c15ull);
  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ull;
  z = (z ^ (z >> 27)) * 0x94d049bb133111ebull;
  return z ^ (z >> 31);
}
static int happens(long thousandths) { return (long)(chance() % 1000) < thousandths; }

static uint64_t now_ns(void) {
  struct timespec at;
  clock_gettime(CLOCK_MONOTONIC, &at);
  return (uint64_t)at.tv_sec * 1000000000ull + (uint64_t)at.tv_nsec;
}

static int before(const struct frame *a, const struct frame *b) {
  return a->due_ns != b->due_ns ? a->due_ns < b->due_ns : a->order < b->order;
}
static void swap(int a, int b) {
  struct frame other = held[a];
  held[a] = held[b];
  held[b] = other;
}
static void hold(struct frame frame) {
  if (held_count == HELD_MAX) {
    counts[frame.side].refused++;
    free(frame.bytes);
    return;
  }
  int at = held_count++;
  held[at] = frame;
  for (; at > 0 && before(&held[at], &held[(at - 1) / 2]); at = (at - 1) / 2) swap(at, (at - 1) / 2);
}
static struct frame take_first(void) {
  struct frame first = held[0];
  held[0] = held[--held_count];
  for (int at = 0;;) {
    int least = at, left = 2 * at + 1, right = left + 1;
    if (left < held_count && before(&held[left], &held[least])) least = left;
    if (right < held_count && before(&held[right], &held[least])) least = right;
    if (least == at) return first;
    swap(at, least);
    at = least;
  }
}

static int open_link(const char *name) {
  int fd = socket(AF_PACKET, SOCK_RAW, htons(ETH_P_ALL));
  if (fd < 0) stop("packet socket");
  struct sockaddr_ll where = {.sll_family = AF_PACKET, .sll_protocol = htons(ETH_P_ALL)};
  where.sll_ifindex = (int)if_nametoindex(name);
  if (where.sll_ifindex == 0) stop(name);
  if (bind(fd, (struct sockaddr *)&where, sizeof where) < 0) stop(name);
  struct packet_mreq all = {.mr_ifindex = where.sll_ifindex, .mr_type = PACKET_MR_PROMISC};
  if (setsockopt(fd, SOL_PACKET, PACKET_ADD_MEMBERSHIP, &all, sizeof all) < 0) stop("promiscuous");
  int room = 8 * 1024 * 1024;
  setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &room, sizeof room);
  setsockopt(fd, SOL_SOCKET, SO_SNDBUFFORCE, &room, sizeof room);
  return fd;
}

static void take_in(int fd, int side, const struct asked *asked) {
  static unsigned char bytes[FRAME_MAX];
  static uint64_t order;
  struct sockaddr_ll from;
  socklen_t length = sizeof from;
  ssize_t size = recvfrom(fd, bytes, sizeof bytes, MSG_DONTWAIT, (struct sockaddr *)&from, &length);
  if (size <= 0 || from.sll_pkttype == PACKET_OUTGOING) return;
  struct count *count = &counts[side];
  count->taken++;
  /* All chances are drawn for every frame, so that one setting does not move the others. */
  int lost = happens(asked->loss), twice = happens(asked->duplicate), back = happens(asked->reorder);
  uint64_t jitter = asked->jitter_us ? chance() % ((uint64_t)asked->jitter_us + 1) : 0;
  if (lost) {
    count->lost++;
    return;
  }
  if (twice) count->doubled++;
  if (back) count->held_back++;
  uint64_t wait_us = (uint64_t)asked->delay_us + jitter + (back ? (uint64_t)asked->reorder_us : 0);
  order++;
  for (int copy = 0; copy <= twice; copy++) {
    struct frame frame = {now_ns() + wait_us * 1000, order, side, (int)size, malloc((size_t)size)};
    if (!frame.bytes) stop("memory");
    memcpy(frame.bytes, bytes, (size_t)size);
    hold(frame);
  }
}

static void send_due(const int *fds) {
  uint64_t now = now_ns();
  while (held_count > 0 && held[0].due_ns <= now) {
    struct frame frame = take_first();
    struct count *count = &counts[frame.side];
    if (send(fds[1 - frame.side], frame.bytes, (size_t)frame.size, 0) < 0) count->refused++;
    else count->sent++;
    if (frame.order < count->newest) count->overtaken++;
    else count->newest = frame.order;
    free(frame.bytes);
  }
}

static void print_counts(void) {
  printf("{");
  for (int side = 0; side < 2; side++) {
    struct count *c = &counts[side];
    printf("%s\"%s\":{\"taken\":%lu,\"sent\":%lu,\"lost\":%lu,\"doubled\":%lu,\"heldBack\":%lu,\"overtaken\":%lu,"
           "\"refused\":%lu}",
           side ? "," : "", side ? "back" : "forth", c->taken, c->sent, c->lost, c->doubled, c->held_back,
           c->overtaken, c->refused);
  }
  printf("}\n");
}

static int relay(int count, char **args) {
  struct asked asked = {.seed = 1};
  int fds[2] = {open_link(args[0]), open_link(args[1])};
  for (int n = 2; n + 1 < count; n += 2) {
    long value = atol(args[n + 1]);
    if (!strcmp(args[n], "--seed")) asked.seed = (uint64_t)value;
    else if (!strcmp(args[n], "--delay-us")) asked.delay_us = value;
    else if (!strcmp(args[n], "--jitter-us")) asked.jitter_us = value;
    else if (!strcmp(args[n], "--reorder-us")) asked.reorder_us = value;
    else if (!strcmp(args[n], "--loss")) asked.loss = value;
    else if (!strcmp(args[n], "--duplicate")) asked.duplicate = value;
    else if (!strcmp(args[n], "--reorder")) asked.reorder = value;
    else return 2;
  }
  state = asked.seed;
  printf("ready\n");
  fflush(stdout);
  for (;;) {
    struct pollfd wait[3] = {{fds[0], POLLIN, 0}, {fds[1], POLLIN, 0}, {0, POLLIN, 0}};
    struct timespec limit = {0, 0}, *until = NULL;
    if (held_count > 0) {
      uint64_t now = now_ns(), left = held[0].due_ns > now ? held[0].due_ns - now : 0;
      limit.tv_sec = (time_t)(left / 1000000000ull);
      limit.tv_nsec = (long)(left % 1000000000ull);
      until = &limit;
    }
    if (ppoll(wait, 3, until, NULL) < 0 && errno != EINTR) stop("poll");
    for (int side = 0; side < 2; side++)
      if (wait[side].revents & POLLIN) take_in(fds[side], side, &asked);
    send_due(fds);
    if (wait[2].revents) {
      char rest[64];
      if (read(0, rest, sizeof rest) <= 0) break;
    }
  }
  print_counts();
  return 0;
}

int main(int count, char **args) {
  if (count >= 3 && !strcmp(args[1], "plain")) return plain(count - 2, args + 2);
  if (count >= 4 && !strcmp(args[1], "relay")) return relay(count - 2, args + 2);
  fprintf(stderr, "links plain IF... | links relay IF IF [--seed N] [--delay-us N] ...\n");
  return 2;
}
