"""An analysis of names as people write it: sentence-transformers, scikit-learn, matplotlib.

    analyze_names.py MODEL NAMES CLUSTERS OUT      NAMES: "table.column", one a line; OUT: a folder, which gets clusters.json and plot.png
"""
import json
import os
import sys

os.environ["HF_HUB_OFFLINE"] = "1"
os.environ["TOKENIZERS_PARALLELISM"] = "false"

from sentence_transformers import SentenceTransformer
from sklearn.cluster import KMeans
from sklearn.decomposition import PCA
import matplotlib
matplotlib.use("Agg")
import matplotlib.pyplot as plt


def main(model, names_path, clusters, out):
    with open(names_path, encoding="utf-8") as file:
        names = file.read().split()
    vectors = SentenceTransformer(model, device="cpu").encode(names)
    labels = KMeans(n_clusters=int(clusters), random_state=42, n_init=1).fit_predict(vectors)
    plane = PCA(n_components=2)
    points = plane.fit_transform(vectors)
    plt.figure(figsize=(12, 8))
    plt.scatter(points[:, 0], points[:, 1], c=labels, cmap="tab20")
    for point, name in zip(points, names):
        plt.annotate(name, point, fontsize=8)
    plt.xlabel("PC1 (%.1f%% variance)" % (100 * plane.explained_variance_ratio_[0]))
    plt.ylabel("PC2 (%.1f%% variance)" % (100 * plane.explained_variance_ratio_[1]))
    plt.savefig(os.path.join(out, "plot.png"), dpi=150)
    with open(os.path.join(out, "clusters.json"), "w", encoding="utf-8") as file:
        json.dump({name: int(label) for name, label in zip(names, labels)}, file)


if __name__ == "__main__":
    main(*sys.argv[1:])
