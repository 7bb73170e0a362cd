# Words, dictionaries, sorting, formatting, regular expressions.
import re
from collections import Counter, defaultdict

seed = 42
syllables = ["ka", "lo", "mi", "ren", "ta", "su", "vor", "el", "in", "do"]
words = []
for _ in range(40000):
    seed = (seed * 1103515245 + 12345) % 2 ** 31
    words.append("".join(syllables[seed >> shift & 7] for shift in range(8, 8 + 3 * (1 + (seed >> 20) % 3), 3)))
text = " ".join(word + ("." if i % 11 == 0 else "") for i, word in enumerate(words))
counts = Counter(re.findall(r"\b\w+\b", text))
by_length = defaultdict(list)
for word in counts:
    by_length[len(word)].append(word)
for length, members in sorted(by_length.items()):
    print(f"{length:3d} {len(members):5d} {min(members)} {max(members)}")
print(counts.most_common(5))
sentences = [sentence.strip().capitalize() for sentence in text.split(".")]
print(len(sentences), max(map(len, sentences)), re.sub(r"(ka)+", lambda match: f"<{len(match[0])}>", text)[:60])
print(sum(line.replace("mi", "MI").count("MI") for line in sentences), len(text.upper().encode("utf-16")))
