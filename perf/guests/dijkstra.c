/* Shortest paths in a sparse graph kept in arrays, with a binary heap that knows where each node is. */
#include <stdint.h>
#include <stdio.h>
enum { Side = 300, Nodes = Side * Side, Extra = 3 * Nodes, Arcs = 4 * Nodes + Extra };
static int first[Nodes + 1], fill[Nodes], target[Arcs], weight[Arcs];
static int heap[Nodes], place[Nodes], size;
static uint32_t distance[Nodes], seed = 3;
static uint32_t next(void) { return (seed = seed * 1664525u + 1013904223u) >> 8; }
static void up(int at)
{
    int node = heap[at];
    while (at > 0 && distance[heap[(at - 1) / 2]] > distance[node]) {
        heap[at] = heap[(at - 1) / 2];
        place[heap[at]] = at;
        at = (at - 1) / 2;
    }
    heap[at] = node;
    place[node] = at;
}
static int pop(void)
{
    int least = heap[0], node = heap[--size], at = 0;
    for (int child; (child = 2 * at + 1) < size; at = child) {
        if (child + 1 < size && distance[heap[child + 1]] < distance[heap[child]]) child++;
        if (distance[heap[child]] >= distance[node]) break;
        heap[at] = heap[child];
        place[heap[at]] = at;
    }
    heap[at] = node;
    place[node] = at;
    place[least] = -2;
    return least;
}
static int ends[Arcs][2];
static int build(void)
{
    int count = 0;
    for (int i = 0; i < Nodes; i++) {
        if (i % Side + 1 < Side) { ends[count][0] = i; ends[count++][1] = i + 1; ends[count][0] = i + 1; ends[count++][1] = i; }
        if (i + Side < Nodes) { ends[count][0] = i; ends[count++][1] = i + Side; ends[count][0] = i + Side; ends[count++][1] = i; }
    }
    for (int i = 0; i < Extra; i++) { ends[count][0] = next() % Nodes; ends[count++][1] = next() % Nodes; }
    for (int i = 0; i < count; i++) first[ends[i][0] + 1]++;
    for (int i = 0; i < Nodes; i++) { first[i + 1] += first[i]; fill[i] = first[i]; }
    for (int i = 0; i < count; i++) { int at = fill[ends[i][0]]++; target[at] = ends[i][1]; weight[at] = 1 + next() % 1000; }
    return count;
}
int main(void)
{
    int arcs = build();
    for (int round = 0; round < 9; round++) {
        for (int i = 0; i < Nodes; i++) { distance[i] = UINT32_MAX; place[i] = -1; }
        int start = next() % Nodes;
        distance[start] = 0;
        heap[0] = start;
        place[start] = 0;
        size = 1;
        while (size > 0) {
            int node = pop();
            for (int arc = first[node]; arc < first[node + 1]; arc++) {
                int to = target[arc];
                uint32_t reached = distance[node] + weight[arc];
                if (reached >= distance[to]) continue;
                distance[to] = reached;
                if (place[to] == -1) place[to] = size++, heap[place[to]] = to;
                up(place[to]);
            }
        }
        uint32_t sum = 0, furthest = 0;
        for (int i = 0; i < Nodes; i++) { sum = sum * 31 + distance[i]; if (distance[i] > furthest) furthest = distance[i]; }
        printf("%d %u %08x\n", arcs, furthest, sum);
    }
    return 0;
}
