// A simulation with a heap of events, then maps, strings and typed arrays.
class Heap {
    constructor() { this.items = []; }
    push(item) {
        let at = this.items.push(item) - 1;
        for (let up; at > 0 && this.items[up = at - 1 >> 1].when > item.when; at = up) this.items[at] = this.items[up];
        this.items[at] = item;
    }
    pop() {
        const least = this.items[0], last = this.items.pop();
        let at = 0;
        for (let child; (child = 2 * at + 1) < this.items.length; at = child) {
            if (child + 1 < this.items.length && this.items[child + 1].when < this.items[child].when) child++;
            if (this.items[child].when >= last.when) break;
            this.items[at] = this.items[child];
        }
        if (this.items.length) this.items[at] = last;
        return least;
    }
}
let seed = 1;
const next = () => (seed = (Math.imul(seed, 1103515245) + 12345) >>> 0) >>> 8;
const heap = new Heap(), seen = new Map();
for (let i = 0; i < 500; i++) heap.push({ when: next() % 1000, who: `w${i % 37}` });
for (let i = 0; i < 60000; i++) {
    const event = heap.pop();
    seen.set(event.who, (seen.get(event.who) || 0) + 1);
    heap.push({ when: event.when + 1 + next() % 500, who: event.who });
}
const bytes = new Uint8Array(100000).map((_, i) => i * 7 ^ i >> 3);
console.log(heap.items[0].when, JSON.stringify([...seen].sort().slice(0, 4)), bytes.reduce((a, b) => (a * 31 + b) | 0, 0));
