"""
What scikit-learn makes of vectors; run by the Python that has it. In: a list of {vectors, clusters, seed, eps,
min_samples}.
"""
import json
import sys

import numpy as np
from sklearn.cluster import DBSCAN, AgglomerativeClustering, KMeans
from sklearn.decomposition import PCA
from sklearn.metrics import silhouette_score


def answer(given):
    vectors = np.array(given["vectors"], dtype=np.float32)
    kmeans = KMeans(n_clusters=given["clusters"], n_init=1, random_state=given["seed"]).fit(vectors)
    plane = PCA(n_components=2, svd_solver="full").fit(vectors)
    # In doubles, so that merges of nearly equal distances come in the order of the distances.
    exact = vectors.astype(np.float64)
    result = {"kmeans": kmeans.labels_, "inertia": kmeans.inertia_, "iterations": kmeans.n_iter_,
              "centers": kmeans.cluster_centers_.ravel(),
              "silhouette": silhouette_score(exact, kmeans.labels_), "coordinates": plane.transform(vectors).ravel(),
              "variance": plane.explained_variance_, "ratio": plane.explained_variance_ratio_,
              "dbscan": DBSCAN(eps=given["eps"], min_samples=given["min_samples"], metric="cosine").fit(exact).labels_}
    for linkage in ("ward", "average"):
        result[linkage] = AgglomerativeClustering(n_clusters=given["clusters"], linkage=linkage).fit(exact).labels_
    return {name: np.asarray(value).tolist() for name, value in result.items()}


json.dump([answer(given) for given in json.load(sys.stdin)], sys.stdout)
